/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of an open file or of a folder, as the current process sees it: from there up to the root of the process,
 * over all mounts between.
 *
 *	const struct path *folder = path_of_fd(dirfd);
 *
 *	event->names_len = path_names(event->data + used, folder, &event->names_end);
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

static __always_inline __u64 path_names(__u8 *to, const struct path *from, __u32 *end)
{
	struct fs_struct *fs = BPF_CORE_READ(path_task(), fs);
	struct dentry *root = BPF_CORE_READ(fs, root.dentry), *dentry, *parent;
	struct vfsmount *root_mount = BPF_CORE_READ(fs, root.mnt), *vfsmount;
	struct mount *mount, *above;
	__u64 used, more; /* of 32 bits, the verifier would lose sight of their limit */

	*end = PATH_UNKNOWN;
	/* A 0 that the verifier does not know: it would follow each length of the path by itself. */
	used = *(volatile __u32 *)end;
	if (!from)
		return 0;
	dentry = BPF_CORE_READ(from, dentry);
	vfsmount = BPF_CORE_READ(from, mnt);
	*end = PATH_CUT;
	for (int i = 0; i < PATH_DEPTH && used <= PATH_BYTES; i++) {
		if (dentry == root && vfsmount == root_mount) {
			*end = PATH_ROOT;
			break;
		}
		if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
			mount = path_mount(vfsmount);
			above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount) {
				*end = PATH_OUTSIDE;
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			vfsmount = __builtin_preserve_access_index(&above->mnt);
			continue;
		}
		more = path_name(to, used, BPF_CORE_READ(dentry, d_name.name));
		if (!more)
			break;
		used = more;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry) {
			*end = PATH_PSEUDO;
			break;
		}
		dentry = parent;
	}
	if (*end == PATH_PSEUDO && used <= PATH_BYTES)
		used = path_name(to, used, BPF_CORE_READ(dentry, d_sb, s_type, name));
	return bounded(used, PATH_NAMES_ROOM);
}

#endif
