/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program includes first: kernel types, helpers, the licence, and how structs reach user space. */
#ifndef CORESCOPE_CORE_H
#define CORESCOPE_CORE_H

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/*
 * libbpf is given just those of the kernel's types that a program mentions (common/core/src/kernel/btf.rs), where they have other
 * numbers: what would give the kernel's number, as bpf_core_cast() does, must not compile.
 */
#undef bpf_core_type_id_kernel

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * A struct is in the object's BTF, and so in the Rust skeleton, only where a global, a map or a function names it.
 * This names it for 8 bytes.
 */
#define EXPORT(type) const struct type *export_##type __attribute__((unused))

/* The same for an enum. */
#define EXPORT_ENUM(type) const enum type *enum_##type __attribute__((unused))

#define COMM_LEN 16

/* Of a function that a macro makes for all, and not all use. */
#define __unused __attribute__((unused))

#endif
