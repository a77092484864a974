/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps that gain entries while a tool runs. */
#ifndef CORESCOPE_MAP_H
#define CORESCOPE_MAP_H

#include "base/lost.bpf.h"

/* The value of a key, put in as `zero` if it is new; NULL if the map is full, which is counted. */
static __always_inline void *map_get(void *map, const void *key, const void *zero)
{
	void *value = bpf_map_lookup_elem(map, key);

	if (value)
		return value;
	/* Another CPU may be first: its entry stays. */
	bpf_map_update_elem(map, key, zero, BPF_NOEXIST);
	value = bpf_map_lookup_elem(map, key);
	if (!value)
		count_lost(LOST_MAP);
	return value;
}

#endif
