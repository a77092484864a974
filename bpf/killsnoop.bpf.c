// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* System calls that send a signal to a process, as they return. */
#include "call/kill.bpf.h"

SYSCALL_EXIT(killsnoop_exit, kill_returned)
