/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of an open file or of a folder, as the current process sees it: from there up to the root of the process,
 * over all mounts between.
 *
 *	const struct path *folder = path_of_folder(dirfd);
 *
 *	event->names_len = path_names(event->data + used, folder, &event->names_end, call->noloop);
 *
 * writes the names of the way up, the innermost first, each with its NUL: user space turns and joins them
 * (common/core/src/names/path.rs). What is behind `to` must hold PATH_NAMES_ROOM bytes.
 */
#ifndef CORESCOPE_PATH_H
#define CORESCOPE_PATH_H

#include "base/core.bpf.h"
#include "call/string.bpf.h"

#define PATH_BYTES 4096 /* PATH_MAX: the longest path that a system call takes, with its NUL */
#define PATH_NAME_BYTES 256
#define PATH_NAMES_ROOM (PATH_BYTES + PATH_NAME_BYTES)
#define PATH_SHORT_WORDS 4
#define PATH_DEPTH 64 /* names and mounts on the way: it must end somewhere */

/* Where the way up ended. */
enum path_end {
	PATH_UNKNOWN, /* there is no such file */
	PATH_ROOT,    /* at the root of the process */
	PATH_OUTSIDE, /* at the root of a mount that cannot be reached from the root of the process */
	PATH_PSEUDO,  /* nowhere: a pipe, a socket; the last name is that of its file system */
	PATH_CUT,     /* on the way, which is too long */
};

/*
 * Not bpf_get_current_task_btf(), of which fields are read without a helper: for each pointer that is taken from there the
 * verifier (of 6.18 at least) looks through the names of all types up to four times, which takes a millisecond.
 */
static __always_inline struct task_struct *path_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/*
 * A read costs a hundred instructions, whatever its size: fields that follow each other are read at once. In all kernels
 * they do, unless one is built to mix them (randstruct).
 */
#define path_adjoins(type, first, second)                                                                              \
	(bpf_core_field_offset(type, second) == bpf_core_field_offset(type, first) + bpf_core_field_size(type, first))

/* The current process's descriptors: of a struct fdtable. */
struct path_fds {
	__u64 count; /* 32 bits of it */
	struct file **files;
};

static __always_inline void path_read_fds(struct path_fds *to)
{
	struct fdtable *table = BPF_CORE_READ(path_task(), files, fdt);

	if (bpf_core_field_offset(struct fdtable, fd) ==
	    bpf_core_field_offset(struct fdtable, max_fds) + sizeof(to->count)) {
		bpf_core_read(to, sizeof(*to), &table->max_fds);
	} else {
		to->count = BPF_CORE_READ(table, max_fds);
		to->files = BPF_CORE_READ(table, fd);
	}
}

/* The file behind a descriptor of the current process. */
static __always_inline struct file *path_file(__u32 fd)
{
	struct file *file = NULL;
	struct path_fds fds;

	path_read_fds(&fds);
	if (fd < (__u32)fds.count)
		bpf_probe_read_kernel(&file, sizeof(file), fds.files + fd);
	return file;
}

static __always_inline const struct path *path_of_file(struct file *file)
{
	return file ? __builtin_preserve_access_index(&file->f_path) : NULL;
}

static __always_inline const struct path *path_of_fd(__u32 fd)
{
	return path_of_file(path_file(fd));
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

#define PATH_HEAD_BYTES 40

/* The number of the descriptor whose path `head` is, behind the `start` bytes that it is to begin with; -1 for any other one. */
static __always_inline __s32 path_fd_behind(const char *head, const char *begin, const __u32 start)
{
	__s32 fd = 0;

	for (__u32 i = 0; i < start; i++) {
		if (head[i] != begin[i])
			return -1;
	}
	if (!head[start])
		return -1;
	for (__u32 i = start; i < start + 8; i++) {
		__u8 digit = head[i] - '0';

		if (!head[i] || head[i] == '/')
			return fd;
		if (digit > 9)
			return -1;
		fd = fd * 10 + digit;
	}
	return -1;
}

#define PATH_FD_BEHIND(head, begin) path_fd_behind(head, begin, sizeof(begin) - 1)

/* Where the current process's path starts that stands in its memory: NULL for one that starts at its root. */
static __always_inline const struct path *path_start(__s32 dirfd, const char *path)
{
	char head[PATH_HEAD_BYTES] = {};
	__s32 fd;

	if (bpf_probe_read_user_str(head, sizeof(head), path) < 0)
		return NULL;
	if (head[0] != '/')
		return path_of_folder(dirfd);
	fd = PATH_FD_BEHIND(head, "/proc/self/fd/");
	if (fd < 0)
		fd = PATH_FD_BEHIND(head, "/proc/thread-self/fd/");
	if (fd < 0)
		fd = PATH_FD_BEHIND(head, "/dev/fd/");
	return fd < 0 ? NULL : path_of_fd(fd);
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

/* Of a struct path, */
struct path_place {
	struct vfsmount *mount;
	struct dentry *dentry;
};

/* of a struct dentry, */
struct path_dentry {
	struct dentry *parent;
	struct qstr name;
	struct inode *inode;
	__u64 short_name[PATH_SHORT_WORDS]; /* here, where it is not longer than that */
};

/* and of a struct mount. */
struct path_mount {
	struct mount *parent;
	struct dentry *place; /* in the parent */
	struct dentry *root;
};

static __always_inline void path_read_place(struct path_place *to, const struct path *from)
{
	if (path_adjoins(struct path, mnt, dentry)) {
		bpf_core_read(to, sizeof(*to), &from->mnt);
	} else {
		to->mount = BPF_CORE_READ(from, mnt);
		to->dentry = BPF_CORE_READ(from, dentry);
	}
}

static __always_inline void path_read_dentry(struct path_dentry *to, struct dentry *from)
{
	if (path_adjoins(struct dentry, d_parent, d_name)) {
		bpf_core_read(to, sizeof(*to), &from->d_parent);
	} else {
		to->parent = BPF_CORE_READ(from, d_parent);
		bpf_core_read(&to->name, sizeof(to->name), &from->d_name);
	}
}

static __always_inline void path_read_mount(struct path_mount *to, struct mount *from)
{
	if (path_adjoins(struct mount, mnt_parent, mnt_mountpoint) &&
	    path_adjoins(struct mount, mnt_mountpoint, mnt.mnt_root)) {
		bpf_core_read(to, sizeof(*to), &from->mnt_parent);
	} else {
		to->parent = BPF_CORE_READ(from, mnt_parent);
		to->place = BPF_CORE_READ(from, mnt_mountpoint);
		to->root = BPF_CORE_READ(from, mnt.mnt_root);
	}
}

static __always_inline struct mount *path_mount_of(struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

/*
 * The same of a dentry of which `named` was read, from `place` on. With a known size it is read in words instead of byte by
 * byte, or is there already. Who is renamed meanwhile may have the size of the one name and the bytes of the other.
 */
static __always_inline __u64 path_dentry_name(__u8 *to, __u64 used, struct path_dentry *named, const void *place)
{
	__u64 length = bounded(named->name.len, PATH_NAME_BYTES - 1);

	used = bounded(used, PATH_BYTES);
	to += used;
	if (path_adjoins(struct dentry, d_parent, d_name) && length < sizeof(named->short_name) &&
	    named->name.name - (const __u8 *)place == __builtin_offsetof(struct path_dentry, short_name)) {
		for (int i = 0; i < PATH_SHORT_WORDS; i++)
			((__u64 *)to)[i] = named->short_name[i];
	} else if (bpf_probe_read_kernel(to, length, named->name.name)) {
		return 0;
	}
	to[length] = 0;
	return used + length + 1;
}

/* On the way up. */
struct path_walk {
	__u8 *to;
	__u64 used; /* of 32 bits, the verifier would lose sight of its limit */
	struct mount *mount, *root_mount;
	struct dentry *dentry, *root;
	struct path_mount mounted; /* what is known of `mount` */
	__u32 *end;
};

static __always_inline void path_enter_mount(struct path_walk *walk, struct mount *mount)
{
	walk->mount = mount;
	path_read_mount(&walk->mounted, mount);
}

/* Over one name or one mount; false where the way ends. */
static __always_inline bool path_step(struct path_walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct path_dentry named;
	__u64 used;

	if (walk->used > PATH_BYTES)
		return false;
	if (dentry == walk->root && walk->mount == walk->root_mount) {
		*walk->end = PATH_ROOT;
		return false;
	}
	if (dentry == walk->mounted.root) {
		if (walk->mounted.parent == walk->mount) {
			*walk->end = PATH_OUTSIDE;
			return false;
		}
		walk->dentry = walk->mounted.place;
		path_enter_mount(walk, walk->mounted.parent);
		return true;
	}
	path_read_dentry(&named, dentry);
	used = path_dentry_name(walk->to, walk->used, &named, __builtin_preserve_access_index(&dentry->d_parent));
	if (!used)
		return false;
	walk->used = used;
	if (named.parent == dentry) {
		*walk->end = PATH_PSEUDO;
		return false;
	}
	walk->dentry = named.parent;
	return true;
}

static long path_step_called(__u32 index, void *walk)
{
	return !path_step(walk);
}

/*
 * The verifier follows each round of a loop by itself, which takes it longer than all else of a tool's start; what
 * bpf_loop() calls (since 5.17, e6f2dd0f8067) it follows once. `noloop` is for kernels before, see SYSCALL_EXIT_LOOP of
 * syscall.bpf.h.
 */
static __always_inline __u64 path_names(__u8 *to, const struct path *from, __u32 *end, const bool noloop)
{
	struct path_walk walk = { .to = to, .end = end };
	struct path_place place = {};
	struct fs_struct *fs;
	struct dentry *last;
	__u64 used;

	*end = PATH_UNKNOWN;
	if (!from)
		return 0;
	fs = BPF_CORE_READ(path_task(), fs);
	path_read_place(&place, __builtin_preserve_access_index(&fs->root));
	walk.root_mount = path_mount_of(place.mount);
	walk.root = place.dentry;
	path_read_place(&place, from);
	walk.dentry = place.dentry;
	path_enter_mount(&walk, path_mount_of(place.mount));
	/* A 0 that the verifier does not know: it would follow each length of the path by itself. */
	walk.used = *(volatile __u32 *)end;
	*end = PATH_CUT;
	if (noloop) {
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
