//! Maps of counters as user space reads them.

use std::mem::size_of;

use corescope::libbpf_rs::libbpf_sys::bpf_map_create_opts;
use corescope::libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use corescope::read::sums::Sums;

/// So many that most ways to read them in parts end between two keys of one hash value. A prime number.
const KEYS: u32 = 100_003;

#[test]
fn each_key_of_a_large_map_is_read_once() {
    let options = bpf_map_create_opts { sz: size_of::<bpf_map_create_opts>() as u64, ..Default::default() };
    let map = MapHandle::create(MapType::Hash, Some("cs_sums"), 4, 8, KEYS, &options).expect("a map; are you root?");
    for key in 0..KEYS {
        map.update(&key.to_ne_bytes(), &(u64::from(key) + 1).to_ne_bytes(), MapFlags::ANY).expect("room");
    }
    let mut sums = Sums::<u32, u64>::default();
    let mut all = sums.take(&map, |key, _| key % 2 == 0).expect("a map that can be read");
    all.sort_unstable();
    assert!(all.into_iter().eq((0..KEYS).map(|key| (key, u64::from(key) + 1))));
    // Half of them are gone, and nothing has come.
    assert_eq!(sums.take(&map, |_, _| false).expect("the same"), []);
    assert_eq!(Sums::<u32, u64>::all(&map).expect("the same").len(), KEYS as usize / 2);
}
