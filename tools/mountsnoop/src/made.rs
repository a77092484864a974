//! A call that was made, as it is printed.

use std::borrow::Cow;

use corescope::syscalls::Abi;
use corescope::{Column, Value, errno, escape, event, flags, path};

use crate::bpf::types::{mountsnoop_bytes as Bytes, mountsnoop_event as Event};
use crate::calls::{ATTRIBUTES, BINARY, COMMANDS, Call, Kind, MAGIC, MAGIC_MASK, MOUNT};

/// A string that takes all of it was cut.
const STRING_BYTES: usize = Bytes::MOUNTSNOOP_STRING.0 as usize;

const AT_FDCWD: i32 = -100;

/// A call with what its arguments point to.
pub(crate) struct Made {
    event: Event,
    data: Vec<u8>,
}

pub(crate) const COLUMNS: &[Column<Made>] = corescope::columns![Made;
    TIME: "When the call returned" => |made| Value::Time(made.event.time_ns),
    COMM: "Name of the caller" => |made| Value::c_string(&made.event.comm),
    PID => |made| made.event.pid.into(),
    TID => |made| made.event.tid.into(),
    PARENT_COMM as "PCOMM" left 16 => |made| Value::c_string(&made.event.parent_comm),
    PPID => |made| made.event.ppid.into(),
    MNTNS: "Mount namespace of the caller: inode number of /proc/PID/ns/mnt" => |made| made.event.mnt_ns.into(),
    text "CALL" left 0: "The call in C: arguments by name, and the result; ... where one is cut" =>
        |made| Value::Escaped(made.line()),
    text "OP" left 0: "Name of the call" => |made| made.call().name.into(),
    json SYSCALL => |made| made.call().syscall.into(),
    json ABI => |made| Abi::of(made.event.compat != 0).name().into(),
    text "RET" left 0: "Result: a descriptor, 0, or an error" => |made| made.result().into(),
    json RET: "Result: a descriptor, 0, or the error as a negative number" => |made| made.event.ret.into(),
    json ERRNO => |made| errno::of(made.event.ret).into(),
    json ERROR => |made| errno::name_of(made.event.ret).into(),
    LATENCY_MS as "LAT(us)" left 0: "How long the call took; with --detailed only" => |made| made.latency(),
    "FS" left 0 "fs_type" text: "Type of the file system" => |made| made.value("fs_type"),
    "SOURCE" left 0 "source" text: "What is mounted, moved, opened, or made the root" => |made| made.value("source"),
    "SOURCE_FD" left 0 "source_fd" number: "Directory that the source is relative to; -100 (AT_FDCWD) is the current one" =>
        |made| made.value("source_fd"),
    "TARGET" left 0 "target" text: "Where it is mounted, unmounted, changed or put" => |made| made.value("target"),
    "TARGET_FD" left 0 "target_fd" number: "Directory that the target is relative to; -100 (AT_FDCWD) is the current one" =>
        |made| made.value("target_fd"),
    "TARGET_PATH" left 0 "target_path" text: "The target as seen from the caller's root directory, also where it is relative or a \
        descriptor's path such as /proc/self/fd/7" => |made| made.target_path().into(),
    "DATA" left 0 "data" text: "Options for the file system, up to the first NUL" => |made| made.value("data"),
    FLAG_NAMES as "FLAGS" left 0 => |made| made.names("flags"),
    json FLAGS => |made| made.value("flags"),
    FD as "FD" left 0: "Descriptor of the file system that is configured or mounted" => |made| made.value("fd"),
    "CMD" left 0 "command" text: "What fsconfig does" => |made| made.value("command"),
    "KEY" left 0 "key" text: "What fsconfig sets" => |made| made.value("key"),
    "VALUE" left 0 "value" text: "What fsconfig sets it to" => |made| made.value("value"),
    "AUX" left 0 "aux" number: "Descriptor or length that belongs to the value" => |made| made.value("aux"),
    "ATTR_SET" left 0 "attr_set_names" text: "Attributes that a mount gets, by name" => |made| made.names("attr_set"),
    json "attr_set" number: "Attributes that a mount gets" => |made| made.value("attr_set"),
    "ATTR_CLR" left 0 "attr_clr_names" text: "Attributes that a mount loses, by name" => |made| made.names("attr_clr"),
    json "attr_clr" number: "Attributes that a mount loses" => |made| made.value("attr_clr"),
    "PROPAGATION" left 0 "propagation_names" text: "Kind of propagation that a mount gets, by name" =>
        |made| made.names("propagation"),
    json "propagation" number: "Kind of propagation that a mount gets" => |made| made.value("propagation"),
    "USERNS_FD" left 0 "userns_fd" number: "User namespace of an idmapped mount" => |made| made.value("userns_fd"),
    "ATTR_BYTES" left 0 "attr_bytes" number: "Size of the attributes that were given" => |made| made.value("attr_bytes"),
    json ARGS_CUT: "Whether a string was longer than is shown" => |made| made.is_any_cut().into(),
];

/// The columns that --detailed shows instead of CALL.
pub(crate) const DETAILS: &[&str] = &[
    "OP",
    "RET",
    "LAT(us)",
    "FS",
    "SOURCE",
    "SOURCE_FD",
    "TARGET",
    "TARGET_FD",
    "TARGET_PATH",
    "DATA",
    "FLAGS",
    "FD",
    "CMD",
    "KEY",
    "VALUE",
    "AUX",
    "ATTR_SET",
    "ATTR_CLR",
    "PROPAGATION",
    "USERNS_FD",
    "ATTR_BYTES",
];

impl Made {
    /// The event of a record and what its arguments point to.
    pub(crate) fn new(record: &[u8]) -> Self {
        let (event, data) = event::<Event>(record);
        Self { event: *event, data: data.rest().to_vec() }
    }

    fn call(&self) -> &'static Call {
        Call::of(self.event.call)
    }

    fn result(&self) -> String {
        match errno::name(-self.event.ret) {
            Some(name) => format!("-{name}"),
            None => self.event.ret.to_string(),
        }
    }

    fn latency(&self) -> Value<'_> {
        match self.event.latency_ns {
            0 => Value::Missing,
            raw => Value::Scaled { raw, per: 1000, decimals: 3 },
        }
    }

    /// What an argument points to; nothing where it is a number, null, or not to be read.
    fn bytes(&self, index: usize) -> Option<&[u8]> {
        let lengths = self.event.lengths.map(usize::from);
        let start: usize = lengths[..index].iter().sum();
        let bytes = self.data.get(start..start + lengths[index])?;
        // A block of no bytes is not worth a distinction, and a string has its NUL.
        let (_, text) = bytes.split_last()?;
        Some(if self.is_block(index) { bytes } else { text })
    }

    /// Whether an argument points to bytes whose number the next argument is, and to no string.
    fn is_block(&self, index: usize) -> bool {
        match self.call().arguments[index].1 {
            Kind::Attributes => true,
            Kind::Value => low(self.event.args[1]) == BINARY,
            _ => false,
        }
    }

    fn is_cut(&self, index: usize) -> bool {
        let length = usize::from(self.event.lengths[index]);
        length == STRING_BYTES || length > 0 && self.is_block(index) && self.event.args[index + 1] > length as u64
    }

    fn is_any_cut(&self) -> bool {
        (0..self.call().arguments.len()).any(|index| self.is_cut(index))
    }

    /// A number by its key, an argument or a field of a struct mount_attr.
    fn number(&self, key: &str) -> Option<(Kind, u64)> {
        let arguments = self.call().arguments;
        if let Some(index) = arguments.iter().position(|(known, _)| *known == key) {
            let (kind, number) = (arguments[index].1, self.event.args[index]);
            // The kernel takes no more of it.
            return Some((kind, if matches!(kind, Kind::Flags(_)) { low(number) } else { number }));
        }
        let index = arguments.iter().position(|(_, kind)| matches!(kind, Kind::Attributes))?;
        let field = ATTRIBUTES.iter().position(|(known, _)| *known == key)?;
        let bytes = self.bytes(index)?.get(field * 8..field * 8 + 8)?;
        Some((ATTRIBUTES[field].1, u64::from_ne_bytes(bytes.try_into().ok()?)))
    }

    /// An argument as it is.
    fn value(&self, key: &str) -> Value<'_> {
        match self.number(key) {
            Some((Kind::Fd, number)) => descriptor(number).into(),
            Some((Kind::Command, number)) => command(number).into(),
            Some((Kind::Flags(_) | Kind::MountFlags | Kind::Size, number)) => number.into(),
            _ => self.text(key).map_or(Value::Missing, |bytes| Value::Text(Cow::Borrowed(bytes))),
        }
    }

    /// The target from the root of the process on; none where nothing is known of its start.
    fn target_path(&self) -> Option<Vec<u8>> {
        // Without a name there is only what a descriptor stands for.
        let given = self.text("target").filter(|path| !path.is_empty() || self.number("target_fd").is_some())?;
        self.target_start(given).or_else(|| given.starts_with(b"/").then(|| given.to_vec()))
    }

    /// The same where the target starts elsewhere: at a folder, or at what a descriptor stands for.
    fn target_start(&self, given: &[u8]) -> Option<Vec<u8>> {
        let strings: usize = self.event.lengths.map(usize::from).iter().sum();
        let names = self.data.get(strings..strings + usize::from(self.event.names_len))?;
        let tail = if given.starts_with(b"/") {
            // What follows the number of the descriptor.
            let number = given.windows(4).position(|bytes| bytes == b"/fd/").map_or(0, |start| start + 4);
            let slash = given[number..].iter().position(|byte| *byte == b'/');
            slash.map_or(&[][..], |slash| &given[number + slash + 1..])
        } else {
            given
        };
        path::join(names, self.event.names_end, tail)
    }

    fn text(&self, key: &str) -> Option<&[u8]> {
        self.bytes(self.call().arguments.iter().position(|(known, _)| *known == key)?)
    }

    /// An argument of flags, by name.
    fn names(&self, key: &str) -> Value<'_> {
        self.number(key).map_or(Value::Missing, |(kind, number)| written(kind, number).into())
    }

    /// The call as it is written in C, and its result.
    fn line(&self) -> String {
        let arguments: Vec<String> = (0..self.call().arguments.len()).map(|index| self.argument(index)).collect();
        format!("{}({}) = {}", self.call().name, arguments.join(", "), self.result())
    }

    fn argument(&self, index: usize) -> String {
        let (key, kind) = self.call().arguments[index];
        match (kind, self.bytes(index)) {
            (Kind::Attributes, Some(_)) => self.attributes(),
            (_, Some(bytes)) if key == "target" => {
                let path = self.target_start(bytes).map(|path| {
                    let mut text = Vec::new();
                    escape::push(&mut text, &path);
                    format!("<{}>", String::from_utf8_lossy(&text))
                });
                quoted(bytes, self.is_cut(index)) + &path.unwrap_or_default()
            }
            (_, Some(bytes)) => quoted(bytes, self.is_cut(index)),
            (Kind::Text | Kind::Value | Kind::Attributes, None) => pointer(self.event.args[index]),
            _ => self.number(key).map_or_else(String::new, |(kind, number)| written(kind, number)),
        }
    }

    fn attributes(&self) -> String {
        let field =
            |(key, _): &(&str, Kind)| self.number(key).map(|(kind, number)| format!("{key}={}", written(kind, number)));
        format!("{{{}}}", ATTRIBUTES.iter().filter_map(field).collect::<Vec<_>>().join(", "))
    }
}

/// The lower half of a register, which is all that an int has.
fn low(number: u64) -> u64 {
    number & u64::from(u32::MAX)
}

#[allow(clippy::cast_possible_truncation, reason = "a descriptor is an int")]
fn descriptor(number: u64) -> i32 {
    (number as u32).cast_signed()
}

fn command(number: u64) -> String {
    let name = usize::try_from(low(number)).ok().and_then(|number| COMMANDS.get(number));
    name.map_or_else(|| low(number).to_string(), |name| (*name).to_string())
}

/// A number as one would write it in C.
fn written(kind: Kind, number: u64) -> String {
    match kind {
        Kind::Flags(known) => mask(number, known),
        Kind::MountFlags if number & MAGIC_MASK == MAGIC => match number & !MAGIC_MASK {
            0 => "MS_MGC_VAL".into(),
            rest => format!("MS_MGC_VAL|{}", mask(rest, MOUNT)),
        },
        Kind::MountFlags => mask(number, MOUNT),
        Kind::Command => command(number),
        Kind::Fd if descriptor(number) == AT_FDCWD => "AT_FDCWD".into(),
        Kind::Fd => descriptor(number).to_string(),
        _ => number.to_string(),
    }
}

/// No flag at all is 0x0, as in BCC.
fn mask(number: u64, known: &[flags::Flag]) -> String {
    if number == 0 { "0x0".into() } else { flags::names(number, known) }
}

fn pointer(address: u64) -> String {
    if address == 0 { "NULL".into() } else { format!("{address:#x}") }
}

fn quoted(bytes: &[u8], cut: bool) -> String {
    let mut text = Vec::new();
    escape::push_quoted(&mut text, bytes);
    if cut {
        text.extend_from_slice(b"...");
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Event, Made};
    use crate::calls::Call;

    /// A call by its number, with its arguments and what they point to.
    fn line(call: u16, ret: i32, args: [u64; 5], lengths: [u16; 5], data: &[u8]) -> String {
        Made { event: Event { call, ret, args, lengths, ..Event::default() }, data: data.to_vec() }.line()
    }

    #[test]
    fn each_number_is_one_call() {
        for (syscall, number) in Call::numbers() {
            let call = Call::of(u16::try_from(number).expect("small"));
            assert!(
                call.syscall == syscall && syscall.starts_with(call.name) && call.arguments.len() <= 5,
                "{syscall}"
            );
        }
    }

    #[test]
    fn calls_are_written_as_in_c() {
        let data = b"/dev/sda\0/mnt\0ext4\0a=\"b\"\n\0";
        assert_eq!(
            line(1, -2, [8, 8, 8, 0xc0ed_0009, 8], [9, 5, 5, 0, 7], data),
            r#"mount("/dev/sda", "/mnt", "ext4", MS_MGC_VAL|MS_RDONLY|MS_NOEXEC, "a=\"b\"\n") = -ENOENT"#
        );
        assert_eq!(
            line(1, 0, [0, 8, 0, 1 << 40, 0], [0, 1, 0, 0, 0], b"\0"),
            r#"mount(NULL, "", NULL, 0x10000000000, NULL) = 0"#
        );
        assert_eq!(line(2, -14, [8, 0, 0, 0, 0], [0; 5], b""), "umount(0x8, 0x0) = -EFAULT");
        assert_eq!(line(3, 0, [8, 0, 0, 0, 0], [2, 0, 0, 0, 0], b"x\0"), r#"umount("x") = 0"#);
        assert_eq!(
            line(9, 0, [3, 8, 0xffff_ff9c, 8, 4], [0, 1, 0, 5, 0], b"\0/mnt\0"),
            r#"move_mount(3, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH) = 0"#
        );
    }

    #[test]
    fn a_target_that_does_not_start_at_the_root_has_its_path() {
        let line = |given: &str, names: &[u8]| {
            let data = [given.as_bytes(), b"\0", names].concat();
            let lengths = [u16::try_from(given.len() + 1).expect("short"), 0, 0, 0, 0];
            let names_len = u16::try_from(names.len()).expect("short");
            let event = Event { call: 3, args: [8, 0, 0, 0, 0], lengths, names_len, names_end: 1, ..Event::default() };
            Made { event, data }.line()
        };
        assert_eq!(line("a/b", b"y\0x\0"), r#"umount("a/b"</x/y/a/b>) = 0"#);
        assert_eq!(line("/proc/self/fd/7", b"y\0x\0"), r#"umount("/proc/self/fd/7"</x/y>) = 0"#);
        assert_eq!(line("/dev/fd/12/b", b"y\n\0"), r#"umount("/dev/fd/12/b"</y\n/b>) = 0"#);
    }

    #[test]
    fn values_are_what_the_command_says() {
        let data = b"size\0\x01\x00";
        assert_eq!(
            line(7, -22, [3, 2, 8, 8, 2], [0, 0, 5, 2, 0], data),
            r#"fsconfig(3, FSCONFIG_SET_BINARY, "size", "\x01\x00", 2) = -EINVAL"#
        );
        assert_eq!(line(7, 0, [3, 6, 0, 0, 0], [0; 5], b""), "fsconfig(3, FSCONFIG_CMD_CREATE, NULL, NULL, 0) = 0");
        assert_eq!(line(7, -95, [3, 99, 0, 0, 0], [0; 5], b""), "fsconfig(3, 99, NULL, NULL, 0) = -EOPNOTSUPP");
    }

    #[test]
    fn attributes_are_fields() {
        let mut data = b"/m\0".to_vec();
        for field in [0x10_0001u64, 0x70, 1 << 18, 5] {
            data.extend(field.to_ne_bytes());
        }
        let args = [0xffff_ff9c, 8, 0x8000, 8, 32];
        assert_eq!(
            line(11, 0, args, [0, 3, 0, 32, 0], &data),
            r#"mount_setattr(AT_FDCWD, "/m", AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY|MOUNT_ATTR_IDMAP, "#.to_string()
                + "attr_clr=MOUNT_ATTR__ATIME, propagation=MS_PRIVATE, userns_fd=5}, 32) = 0"
        );
    }

    #[test]
    fn what_was_cut_is_marked() {
        let mut data = vec![b'x'; 4097];
        data[4096] = 0;
        assert!(line(2, 0, [8, 0, 0, 0, 0], [4097, 0, 0, 0, 0], &data).contains("xxx\"..., 0x0"));
        data[4095] = 0;
        assert!(line(2, 0, [8, 0, 0, 0, 0], [4096, 0, 0, 0, 0], &data).contains("xxx\", 0x0"));
    }
}
