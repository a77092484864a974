//! Requests of the block layer: the settings of bpf/include/block/.

use anyhow::{Context, Result};

use super::hooks;
use super::setup::Setup;
use crate::names::disk::Disk;

/// `RQF_FLUSH_SEQ`, where flags have numbers of their own and where an enum counts them.
const IN_FLUSH: u32 = 1 << 4;
const IN_FLUSH_COUNTED: u32 = 1 << 1;

impl Setup<'_> {
    /// Sets up an object whose programs include block/request.bpf.h: for the requests of one disk, or of all.
    ///
    /// # Errors
    /// The object has no such settings, or the kernel's types cannot be read.
    pub fn trace_requests(&mut self, disk: Option<&Disk>) -> Result<()> {
        let types = self.types()?;
        let flush = if types.numbers_request_flags() { IN_FLUSH_COUNTED } else { IN_FLUSH };
        let requests = types.tracepoint_arguments("block_rq_issue").context("this kernel has no block_rq_issue")?;
        let bios = types.tracepoint_arguments("block_getrq").context("this kernel has no block_getrq")?;
        self.set("request_in_flush", flush)?;
        self.set("requests_behind_queue", requests > 1)?;
        self.set("bios_behind_queue", bios > 1)?;
        if let Some(disk) = disk {
            self.set("request_disk", disk.number)?;
            self.set("request_first", disk.sectors.start)?;
            self.set("request_behind", disk.sectors.end)?;
        }
        Ok(())
    }

    /// Loads the programs of `REQUEST_ISSUERS` (block/issuer.bpf.h) that this kernel can have, if they are `wanted`.
    ///
    /// # Errors
    /// The object has no such programs, or the kernel's types cannot be read.
    pub fn trace_issuers(&mut self, tool: &str, wanted: bool, cgroups: bool) -> Result<()> {
        let [start, entry, bio, adopt] =
            ["start", "start_entry", "bio", "adopt"].map(|program| format!("{tool}_{program}"));
        let by_bio = hooks::choose_if(self, wanted, &[&start, &entry])?.is_none() && wanted;
        self.load_if(&bio, by_bio)?;
        self.load_if(&adopt, by_bio)?;
        self.set("issuers_by_bio", by_bio)?;
        self.set("issuer_cgroups", cgroups)?;
        if !wanted {
            self.size("issuers", 1)?;
        }
        if !by_bio {
            self.size("issuers_of_bios", 1)?;
        }
        Ok(())
    }
}
