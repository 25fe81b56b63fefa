//! Whether a configuration can be simulated: every number against its range before anything is built.

use super::{ADAPTERS, Config, DiskRef, FaultKind, LinkRef, MOST_NODES};
use crate::error::{Error, Result};

mod volumes;

/// Nothing in a run is longer than this, in seconds: a year.
const LONGEST_SECONDS: f64 = 31_536_000.0;
/// The same in milliseconds and microseconds, for waits and service times: an hour.
const LONGEST_MILLIS: f64 = 3_600_000.0;
const LONGEST_MICROS: f64 = 3_600_000_000.0;

impl Config {
    /// Checks a configuration that is filled in.
    ///
    /// # Errors
    ///
    /// At the first field whose value is not possible, with its name, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        check_name("name", &self.name)?;
        number("nodes", self.nodes.into(), 1, MOST_NODES.into())?;
        if let Some(writes) = self.writes {
            number("writes", writes, 1, 10_000_000)?;
        }
        if let Some(seconds) = self.seconds {
            real("seconds", seconds, 1e-3, LONGEST_SECONDS)?;
        }
        let writes = self.volumes.iter().any(|volume| volume.ops.write > 0.0);
        if self.seconds.is_none() && (self.writes.is_none() || !writes) {
            return Err(Error::Endless);
        }
        // Clocks that are off by a minute, stepped and drifting stay after 1970 and far from the end of 64 bits.
        let (low, high) = (1_000_000_000_000_000_000, 4_000_000_000_000_000_000);
        if !(low..=high).contains(&self.epoch_unix_nanos) {
            return Err(Error::field(
                "epoch-unix-nanos",
                self.epoch_unix_nanos,
                format!("from {low} to {high}"),
            ));
        }
        if let Some(disk) = self.without_disk {
            self.check_disk("without-disk", disk)?;
        }
        self.check_hardware()?;
        self.check_clocks()?;
        self.check_recording()?;
        number("volumes (their count)", self.volumes.len() as u64, 1, 1024)?;
        for (at, volume) in self.volumes.iter().enumerate() {
            self.check_volume(&format!("volumes[{at}]"), volume)?;
            if self.volumes[..at].iter().any(|other| other.name == volume.name) {
                return Err(Error::field(
                    format!("volumes[{at}].name"),
                    volume.label(),
                    "a name of its own",
                ));
            }
        }
        for (at, fault) in self.faults.iter().enumerate() {
            let of = format!("faults[{at}]");
            real(&format!("{of}.from-seconds"), fault.from_seconds, 0.0, LONGEST_SECONDS)?;
            if let Some(until) = fault.until_seconds {
                real(
                    &format!("{of}.until-seconds"),
                    until,
                    fault.from_seconds,
                    LONGEST_SECONDS,
                )?;
            }
            self.check_fault(
                &format!("{of}.what.{}", fault.what.name()),
                &fault.what,
                fault.until_seconds,
            )?;
        }
        Ok(())
    }

    fn check_hardware(&self) -> Result<()> {
        let disks = &self.disks;
        number("disks.count", disks.count.into(), 1, 64)?;
        number("disks.capacity-bytes", disks.capacity_bytes, 1 << 30, 1 << 60)?;
        number("disks.channels", disks.channels.into(), 1, 256)?;
        number("disks.max-transfer-bytes", disks.max_transfer_bytes, 4096, 1 << 30)?;
        multiple("disks.max-transfer-bytes", disks.max_transfer_bytes, 512)?;
        number("disks.shift-bytes", disks.shift_bytes, 0, 1 << 40)?;
        for (field, micros) in [
            ("disks.write-micros", disks.write_micros),
            ("disks.read-micros", disks.read_micros),
            ("disks.flush-micros", disks.flush_micros),
            ("disks.unmap-micros", disks.unmap_micros),
            ("disks.tail-micros", disks.tail_micros),
            ("disks.merge-micros", disks.merge_micros),
            ("network.one-way-micros", self.network.one_way_micros),
            ("cpus.submit-micros", self.cpus.submit_micros),
            ("cpus.send-gap-micros", self.cpus.send_gap_micros),
            ("cpus.message-micros", self.cpus.message_micros),
            ("cpus.complete-micros", self.cpus.complete_micros),
        ] {
            real(field, micros, 0.0, LONGEST_MICROS)?;
        }
        for (field, sigma) in [
            ("disks.sigma", disks.sigma),
            ("network.sigma", self.network.sigma),
            ("cpus.sigma", self.cpus.sigma),
        ] {
            real(field, sigma, 0.0, 3.0)?;
        }
        share("disks.tail-share", disks.tail_share)?;
        real(
            "disks.channel-bytes-per-second",
            disks.channel_bytes_per_second,
            1e3,
            1e12,
        )?;
        real(
            "network.gigabits-per-second",
            self.network.gigabits_per_second,
            1e-3,
            1e4,
        )?;
        number("network.header-bytes", self.network.header_bytes, 0, 1 << 20)?;
        number("cpus.cores", self.cpus.cores.into(), 1, 1024)
    }

    fn check_clocks(&self) -> Result<()> {
        real("clocks.offset-millis", self.clocks.offset_millis, 0.0, 60_000.0)?;
        real("clocks.drift-ppm", self.clocks.drift_ppm, 0.0, 500.0)?;
        for (at, change) in self.clocks.changes.iter().enumerate() {
            let of = format!("clocks.changes[{at}]");
            self.check_node(&format!("{of}.node"), change.node)?;
            real(&format!("{of}.at-seconds"), change.at_seconds, 0.0, LONGEST_SECONDS)?;
            real(&format!("{of}.step-millis"), change.step_millis, -60_000.0, 60_000.0)?;
            real(&format!("{of}.drift-ppm"), change.drift_ppm, -500.0, 500.0)?;
            let earlier = self.clocks.changes[..at]
                .iter()
                .filter(|other| other.node == change.node);
            for other in earlier {
                let twice = |a: f64, b: f64| a != 0.0 && b != 0.0;
                if twice(other.step_millis, change.step_millis) || twice(other.drift_ppm, change.drift_ppm) {
                    return Err(Error::field(
                        of,
                        "a second change of its kind",
                        "the only one of its kind of the node",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_recording(&self) -> Result<()> {
        let recording = &self.recording;
        number("recording.resolution-nanos", recording.resolution_nanos, 1, 1_000_000)?;
        for (at, node) in recording.missing_nodes.iter().enumerate() {
            self.check_node(&format!("recording.missing-nodes[{at}]"), *node)?;
        }
        for (at, lost) in recording.lost.iter().enumerate() {
            let of = format!("recording.lost[{at}]");
            self.check_node(&format!("{of}.node"), lost.node)?;
            real(&format!("{of}.from-seconds"), lost.from_seconds, 0.0, LONGEST_SECONDS)?;
            real(
                &format!("{of}.until-seconds"),
                lost.until_seconds,
                lost.from_seconds,
                LONGEST_SECONDS,
            )?;
        }
        Ok(())
    }

    fn check_fault(&self, of: &str, what: &FaultKind, until: Option<f64>) -> Result<()> {
        let field = |name: &str| format!("{of}.{name}");
        let often = |every: f64, length: (&str, f64)| {
            real(&field("every-millis"), every, 0.01, LONGEST_MILLIS)?;
            real(&field(length.0), length.1, 0.001, LONGEST_MILLIS)
        };
        match *what {
            FaultKind::SlowDisk { on, factor, add_micros } => {
                self.check_disk(&field("on"), on)?;
                real(&field("factor"), factor, 0.01, 1e5)?;
                real(&field("add-micros"), add_micros, 0.0, LONGEST_MICROS)
            }
            FaultKind::SporadicStalls {
                on,
                every_millis,
                stall_millis,
            } => {
                self.check_disk(&field("on"), on)?;
                often(every_millis, ("stall-millis", stall_millis))
            }
            FaultKind::Wear { on, factor } => {
                self.check_disk(&field("on"), on)?;
                real(&field("factor"), factor, 1.0, 1e5)
            }
            FaultKind::MixedMedia { on, seek_micros } => {
                self.check_disk(&field("on"), on)?;
                real(&field("seek-micros"), seek_micros, 1.0, LONGEST_MICROS)
            }
            FaultKind::LinkSlow {
                on,
                bandwidth_share,
                add_micros,
            } => {
                self.check_link(&field("on"), on)?;
                real(&field("bandwidth-share"), bandwidth_share, 1e-6, 1.0)?;
                real(&field("add-micros"), add_micros, 0.0, LONGEST_MICROS)
            }
            FaultKind::LinkLossy {
                on,
                loss,
                retransmit_millis,
            } => {
                self.check_link(&field("on"), on)?;
                real(&field("loss"), loss, 0.0, 0.9)?;
                real(&field("retransmit-millis"), retransmit_millis, 0.001, LONGEST_MILLIS)
            }
            FaultKind::RdmaFallback {
                on,
                add_micros,
                cpu_micros,
            } => {
                self.check_link(&field("on"), on)?;
                real(&field("add-micros"), add_micros, 0.0, LONGEST_MICROS)?;
                real(&field("cpu-micros"), cpu_micros, 0.0, LONGEST_MICROS)
            }
            FaultKind::PfcStorm {
                node,
                every_millis,
                pause_millis,
            } => {
                self.check_node(&field("node"), node)?;
                often(every_millis, ("pause-millis", pause_millis))
            }
            FaultKind::MtuMismatch { on, add_millis, .. } => {
                self.check_link(&field("on"), on)?;
                real(&field("add-millis"), add_millis, 0.001, LONGEST_MILLIS)
            }
            FaultKind::CreditStalls {
                node,
                share: of_messages,
                wait_millis,
            } => {
                self.check_node(&field("node"), node)?;
                share(&field("share"), of_messages)?;
                real(&field("wait-millis"), wait_millis, 0.0, LONGEST_MILLIS)
            }
            FaultKind::AdapterErrors {
                node,
                adapter,
                every_millis,
                reconnect_millis,
            } => {
                self.check_node(&field("node"), node)?;
                number(&field("adapter"), adapter.into(), 0, (ADAPTERS - 1).into())?;
                often(every_millis, ("reconnect-millis", reconnect_millis))
            }
            FaultKind::LinkBusy {
                node,
                load_share,
                burst_micros,
            } => {
                self.check_node(&field("node"), node)?;
                real(&field("load-share"), load_share, 0.0, 0.9999)?;
                real(&field("burst-micros"), burst_micros, 0.0, LONGEST_MICROS)
            }
            FaultKind::DriveErrors {
                on,
                share: of_requests,
                retry_millis,
            } => {
                self.check_disk(&field("on"), on)?;
                share(&field("share"), of_requests)?;
                real(&field("retry-millis"), retry_millis, 0.0, LONGEST_MILLIS)
            }
            FaultKind::CsvRedirected {
                volume,
                node,
                add_micros,
            } => {
                self.check_volume_number(&field("volume"), volume)?;
                self.check_node(&field("node"), node)?;
                let owner = self
                    .volumes
                    .get(volume as usize)
                    .and_then(|volume| volume.initiators.first());
                if owner == Some(&node) {
                    return Err(Error::field(
                        field("node"),
                        node,
                        "another node than the volume's owner",
                    ));
                }
                real(&field("add-micros"), add_micros, 0.0, LONGEST_MICROS)
            }
            FaultKind::Repair { from, to, queue_depth } => {
                self.check_disk(&field("from"), from)?;
                self.check_disk(&field("to"), to)?;
                if from.node == to.node {
                    return Err(Error::field(field("to.node"), to.node, "another node than from.node"));
                }
                number(&field("queue-depth"), queue_depth.into(), 1, 256)
            }
            FaultKind::JobRestarts { every_seconds } => real(&field("every-seconds"), every_seconds, 0.1, 86_400.0),
            FaultKind::Paused { node } => self.check_node(&field("node"), node),
            FaultKind::CpuStarved {
                node,
                factor,
                delayed_share,
                delay_millis,
            } => {
                self.check_node(&field("node"), node)?;
                real(&field("factor"), factor, 1.0, 1e5)?;
                share(&field("delayed-share"), delayed_share)?;
                real(&field("delay-millis"), delay_millis, 0.0, LONGEST_MILLIS)
            }
            FaultKind::PathPause {
                on,
                every_millis,
                pause_millis,
            } => {
                self.check_link(&field("on"), on)?;
                often(every_millis, ("pause-millis", pause_millis))
            }
            FaultKind::RefsStall {
                volume,
                every_millis,
                stall_millis,
            } => {
                self.check_volume_number(&field("volume"), volume)?;
                often(every_millis, ("stall-millis", stall_millis))
            }
            FaultKind::Bitlocker { node, nanos_per_byte } => {
                self.check_node(&field("node"), node)?;
                real(&field("nanos-per-byte"), nanos_per_byte, 0.0, 1e6)
            }
            FaultKind::TargetDied {
                node,
                detect_millis,
                retry_millis,
            } => {
                self.check_node(&field("node"), node)?;
                real(&field("detect-millis"), detect_millis, 0.01, LONGEST_MILLIS)?;
                real(&field("retry-millis"), retry_millis, 0.1, LONGEST_MILLIS)?;
                match until {
                    Some(_) => Ok(()),
                    None => Err(Error::field(
                        of,
                        "without until-seconds",
                        "one that comes back: give until-seconds",
                    )),
                }
            }
        }
    }

    fn check_volume_number(&self, field: &str, volume: u32) -> Result<()> {
        number(field, volume.into(), 0, self.volumes.len().saturating_sub(1) as u64)
    }

    fn check_node(&self, field: &str, node: u32) -> Result<()> {
        number(field, node.into(), 0, self.nodes.saturating_sub(1).into())
    }

    fn check_disk(&self, field: &str, disk: DiskRef) -> Result<()> {
        self.check_node(&format!("{field}.node"), disk.node)?;
        number(
            &format!("{field}.disk"),
            disk.disk.into(),
            0,
            self.disks.count.saturating_sub(1).into(),
        )
    }

    fn check_link(&self, field: &str, link: LinkRef) -> Result<()> {
        self.check_node(&format!("{field}.node"), link.node)?;
        let Some(peer) = link.peer else { return Ok(()) };
        self.check_node(&format!("{field}.peer"), peer)?;
        if peer == link.node {
            return Err(Error::field(format!("{field}.peer"), peer, "another node"));
        }
        Ok(())
    }
}

fn number(field: &str, value: u64, low: u64, high: u64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::field(field, value, format!("from {low} to {high}")))
}

fn real(field: &str, value: f64, low: f64, high: f64) -> Result<()> {
    // NaN is in no range.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::field(field, value, format!("from {low} to {high}")))
}

fn share(field: &str, value: f64) -> Result<()> {
    real(field, value, 0.0, 1.0)
}

fn multiple(field: &str, value: u64, of: u64) -> Result<()> {
    if value.is_multiple_of(of) {
        return Ok(());
    }
    Err(Error::field(field, value, format!("a multiple of {of}")))
}

/// Names become parts of file names and of device names.
fn check_name(field: &str, name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(good) {
        return Ok(());
    }
    Err(Error::field(
        field,
        format!("`{name}`"),
        "1 to 64 letters, digits, - and _",
    ))
}
