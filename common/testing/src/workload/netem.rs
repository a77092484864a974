//! Links that are slow, or lose what they carry: the kernel's queueing discipline netem (tc-netem(8)).

use std::io;
use std::process::Command;
use std::time::Duration;

use super::netlink::Request;
use super::network::index;

/// What becomes of the packets that a device sends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Netem {
    /// How much later each one comes.
    pub delay: Duration,
    /// How many of a hundred do not come at all.
    pub loss_percent: u32,
}

const TC_H_ROOT: u32 = u32::MAX;
const TCA_NETEM_LATENCY64: u16 = 10;

impl Netem {
    /// Does this to a device, in the network namespace of the calling thread; false where the kernel has no netem.
    ///
    /// # Panics
    /// There is no such device, or it has netem already.
    #[must_use]
    pub fn on(self, device: &str) -> bool {
        // Where it is a module, the kernel loads it by itself only for who has modprobe where the kernel looks for it.
        let _ = Command::new("modprobe").arg("sch_netem").output();
        match self.request(index(device)).send() {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => panic!("no netem on {device}: {error}"),
        }
    }

    /// Ends it.
    ///
    /// # Panics
    /// The device has no netem.
    pub fn off(device: &str) {
        Request::removing(libc::RTM_DELQDISC, &root(index(device))).send().expect("netem to be removed");
    }

    fn request(self, index: u32) -> Request {
        let mut request = Request::new(libc::RTM_NEWQDISC, &root(index));
        request.with(libc::TCA_KIND, b"netem\0");
        let options = request.open(libc::TCA_OPTIONS);
        // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter. All of 32 bits is 100 %.
        let loss = u32::try_from(u64::from(self.loss_percent) * u64::from(u32::MAX) / 100).expect("at most 100 %");
        request.push(&[0, 100_000, loss, 0, 0, 0].map(u32::to_ne_bytes).concat());
        request.with(TCA_NETEM_LATENCY64, &i64::try_from(self.delay.as_nanos()).expect("not so long").to_ne_bytes());
        request.close(options);
        request
    }
}

/// `struct tcmsg`: what is right at a device.
fn root(index: u32) -> Vec<u8> {
    [0, index, 0, TC_H_ROOT, 0].map(u32::to_ne_bytes).concat()
}
