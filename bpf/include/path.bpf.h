/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of an open file or of a folder, as the current process sees it: from there up to the root of the process,
 * over all mounts between.
 *
 *	const struct path *folder = path_of_folder(dirfd);
 *
 *	event->names_len = path_names(event->data + used, folder, &event->names_end, false);
 *
 * writes the names of the way up, the innermost first, each with its NUL: user space turns and joins them
 * (common/core/src/path.rs). What is behind `to` must hold PATH_NAMES_ROOM bytes.
 */
#ifndef CORESCOPE_PATH_H
#define CORESCOPE_PATH_H

#include "core.bpf.h"
#include "string.bpf.h"

#define PATH_BYTES 4096 /* PATH_MAX: the longest path that a system call takes, with its NUL */
#define PATH_NAME_BYTES 256
#define PATH_NAMES_ROOM (PATH_BYTES + PATH_NAME_BYTES)
#define PATH_DEPTH 64 /* names and mounts on the way: it must end somewhere */

/* Where the way up ended. As in common/core/src/path.rs. */
enum path_end {
	PATH_UNKNOWN, /* there is no such file */
	PATH_ROOT,    /* at the root of the process */
	PATH_OUTSIDE, /* at the root of a mount that cannot be reached from the root of the process */
	PATH_PSEUDO,  /* nowhere: a pipe, a socket; the last name is that of its file system */
	PATH_CUT,     /* on the way, which is too long */
};

static __always_inline struct task_struct *path_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* The file behind a descriptor of the current process. */
static __always_inline struct file *path_file(__u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(path_task(), files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

static __always_inline const struct path *path_of_fd(__u32 fd)
{
	struct file *file = path_file(fd);

	return file ? __builtin_preserve_access_index(&file->f_path) : NULL;
}

/* The current directory of the current process. */
static __always_inline const struct path *path_of_cwd(void)
{
	struct fs_struct *fs = BPF_CORE_READ(path_task(), fs);

	return fs ? __builtin_preserve_access_index(&fs->pwd) : NULL;
}

#define PATH_AT_CWD -100 /* AT_FDCWD */

/* The folder that a relative path starts from, where a system call is given `dirfd`. */
static __always_inline const struct path *path_of_folder(__s32 dirfd)
{
	return dirfd == PATH_AT_CWD ? path_of_cwd() : path_of_fd(dirfd);
}

static __always_inline struct mount *path_mount(struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

/* Appends a name; gives the size of all names then, or 0 where it cannot be read. */
static __always_inline __u64 path_name(__u8 *to, __u64 used, const void *name)
{
	long length;

	/* Tested here and not where the loop begins: older verifiers forget a limit when the number is put on the stack. */
	used = bounded(used, PATH_BYTES);
	length = bpf_probe_read_kernel_str(to + used, PATH_NAME_BYTES, name);
	return length < 0 || length > PATH_NAME_BYTES ? 0 : used + length;
}

/* On the way up. */
struct path_walk {
	__u8 *to;
	__u64 used; /* of 32 bits, the verifier would lose sight of its limit */
	struct dentry *dentry, *root;
	struct vfsmount *vfsmount, *root_mount;
	__u32 *end;
};

/* Over one name or one mount; false where the way ends. */
static __always_inline bool path_step(struct path_walk *walk)
{
	struct dentry *dentry = walk->dentry, *parent;
	struct vfsmount *vfsmount = walk->vfsmount;
	struct mount *mount, *above;
	__u64 used;

	if (walk->used > PATH_BYTES)
		return false;
	if (dentry == walk->root && vfsmount == walk->root_mount) {
		*walk->end = PATH_ROOT;
		return false;
	}
	if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
		mount = path_mount(vfsmount);
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount) {
			*walk->end = PATH_OUTSIDE;
			return false;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->vfsmount = __builtin_preserve_access_index(&above->mnt);
		return true;
	}
	used = path_name(walk->to, walk->used, BPF_CORE_READ(dentry, d_name.name));
	if (!used)
		return false;
	walk->used = used;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry) {
		*walk->end = PATH_PSEUDO;
		return false;
	}
	walk->dentry = parent;
	return true;
}

static long path_step_called(__u32 index, void *walk)
{
	return !path_step(walk);
}

/*
 * The verifier follows each round of a loop by itself, which takes it longer than all else of a tool's start; what
 * bpf_loop() calls (since 5.17, e6f2dd0f8067) it follows once. `old`: for kernels before, see SYSCALL_EXIT_OR_OLD of
 * syscall.bpf.h.
 */
static __always_inline __u64 path_names(__u8 *to, const struct path *from, __u32 *end, const bool old)
{
	struct path_walk walk = { .to = to, .end = end };
	struct dentry *last;
	struct fs_struct *fs;
	__u64 used;

	*end = PATH_UNKNOWN;
	if (!from)
		return 0;
	fs = BPF_CORE_READ(path_task(), fs);
	walk.root = BPF_CORE_READ(fs, root.dentry);
	walk.root_mount = BPF_CORE_READ(fs, root.mnt);
	walk.dentry = BPF_CORE_READ(from, dentry);
	walk.vfsmount = BPF_CORE_READ(from, mnt);
	/* A 0 that the verifier does not know: it would follow each length of the path by itself. */
	walk.used = *(volatile __u32 *)end;
	*end = PATH_CUT;
	if (old) {
		for (int i = 0; i < PATH_DEPTH && path_step(&walk); i++)
			;
	} else {
		bpf_loop(PATH_DEPTH, path_step_called, &walk, 0);
	}
	used = walk.used;
	last = walk.dentry;
	if (*end == PATH_PSEUDO && used <= PATH_BYTES)
		used = path_name(to, used, BPF_CORE_READ(last, d_sb, s_type, name));
	return bounded(used, PATH_NAMES_ROOM);
}

#endif
