//! Stacks as the kernel side stored them.

use corescope::Tail;
use corescope::libbpf_rs::{MapCore, MapFlags};

/// `enum stack_special`, as the test below has it.
const NONE: u64 = 0;
const LOST: u64 = 1;

/// A stack: addresses, the innermost function's first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stack {
    /// There is none: of a kernel thread in user space, or because the tool was told not to take it.
    None,
    /// It was there and could not be stored.
    Lost,
    /// Its addresses.
    Addresses(Vec<u64>),
    /// Its addresses up to the limit of depth: who called the last one is not known.
    Cut(Vec<u64>),
}

impl Stack {
    /// The addresses, if there are any.
    #[must_use]
    pub fn addresses(&self) -> &[u64] {
        match self {
            Self::Addresses(addresses) | Self::Cut(addresses) => addresses,
            Self::None | Self::Lost => &[],
        }
    }

    /// A stack of which `limit` addresses are kept at most.
    fn limited(addresses: Vec<u64>, limit: usize) -> Self {
        match addresses.len() {
            0 => Self::None,
            length if length >= limit => Self::Cut(addresses),
            _ => Self::Addresses(addresses),
        }
    }
}

/// The map `stacks` of an object that includes stack.bpf.h.
#[derive(Clone, Copy)]
pub struct StackMap<'map>(&'map dyn MapCore);

impl std::fmt::Debug for StackMap<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StackMap")
    }
}

impl<'map> StackMap<'map> {
    /// Reads stacks from `map`.
    #[must_use]
    pub fn new(map: &'map dyn MapCore) -> Self {
        Self(map)
    }

    /// The stack of an id that the kernel side got from `stack_id()`.
    #[must_use]
    pub fn read(&self, id: u64) -> Stack {
        match id {
            NONE => Stack::None,
            LOST => Stack::Lost,
            id => match self.0.lookup(&id.to_ne_bytes(), MapFlags::ANY) {
                // The depth stands before the addresses.
                Ok(Some(bytes)) => Stack::limited(addresses(&bytes), bytes.len() / 8 - 1),
                _ => Stack::Lost,
            },
        }
    }
}

/// `struct stack` of stack.bpf.h: how many addresses there are, and they.
fn addresses(bytes: &[u8]) -> Vec<u64> {
    let Some((depth, rest)) = bytes.split_first_chunk::<8>() else {
        return Vec::new();
    };
    first(rest, usize::try_from(u64::from_ne_bytes(*depth)).unwrap_or(0))
}

/// The kernel's and the user's stack of an event, from what follows the sizes of `struct event_stacks`
/// (bpf/include/event/event_stack.bpf.h), where `depth` addresses of each are kept at most.
#[must_use]
pub fn event_stacks(kernel_bytes: u32, user_bytes: u32, mut tail: Tail<'_>, depth: u32) -> (Stack, Stack) {
    let mut stack = |bytes: u32| Stack::limited(first(tail.take(bytes), bytes as usize / 8), depth as usize);
    (stack(kernel_bytes), stack(user_bytes))
}

/// The first `depth` addresses.
fn first(bytes: &[u8], depth: usize) -> Vec<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    let mut addresses: Vec<u64> = words.iter().take(depth).map(|word| u64::from_ne_bytes(*word)).collect();
    // Where the outermost function would return to.
    while addresses.last() == Some(&0) {
        addresses.pop();
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::{LOST, NONE, Stack, addresses, event_stacks};

    #[test]
    fn special_numbers_are_those_of_the_kernel_side() {
        let names = corescope_testing::headers::enumerators("event/stack.bpf.h", "stack_special");
        assert_eq!(
            [NONE, LOST].map(|id| names[usize::try_from(id).expect("small")].as_str()),
            ["STACK_NONE", "STACK_LOST"]
        );
    }

    #[test]
    fn a_stack_is_as_deep_as_it_says() {
        let bytes: Vec<u8> = [2u64, 7, 9, 5].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(addresses(&bytes), [7, 9]);
        let bytes: Vec<u8> = [4u64, 7, 0, 9, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(addresses(&bytes), [7, 0, 9]);
        assert!(addresses(&[]).is_empty());
    }

    #[test]
    fn both_stacks_of_an_event() {
        let record: Vec<u8> = [0u64, 7, 9, 5, 6].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let (_, tail) = corescope::event::<u64>(&record);
        let stack = |addresses: &[u64]| Stack::Addresses(addresses.to_vec());
        assert_eq!(event_stacks(16, 8, tail, 9), (stack(&[7, 9]), stack(&[5])));
        assert_eq!(event_stacks(0, 8, tail, 9), (Stack::None, stack(&[7])));
        assert_eq!(event_stacks(8, 0, tail, 9), (stack(&[7]), Stack::None));
        assert_eq!(event_stacks(16, 8, tail, 2), (Stack::Cut(vec![7, 9]), stack(&[5])));
    }
}
