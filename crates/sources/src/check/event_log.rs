//! Which channels of the event log are there, and switched on.
#![expect(unsafe_code, reason = "the event log is a C interface")]

use windows::Win32::System::EventLog::{
    EVT_HANDLE, EVT_VARIANT, EvtChannelConfigEnabled, EvtClose, EvtGetChannelConfigProperty, EvtOpenChannelConfig,
};
use windows::core::{Error, HSTRING};

use super::known::CHANNELS;
use super::{Probe, State};

pub(super) fn channels() -> Probe {
    let items = CHANNELS.iter().map(|&channel| channel.to_owned());
    Probe::new("event_log", items.collect(), |answers| {
        for (item, channel) in CHANNELS.iter().enumerate() {
            let state = match enabled(channel) {
                Ok(true) => State::Available("the channel is on".to_owned()),
                Ok(false) => State::Unavailable("the channel is there and switched off".to_owned()),
                Err(error) => State::Unavailable(reason(&error)),
            };
            answers.give(item, state);
        }
    })
}

/// A channel's configuration that is closed when it is dropped.
struct Config(EVT_HANDLE);

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: the handle comes from EvtOpenChannelConfig and is closed once.
        let _ = unsafe { EvtClose(self.0) };
    }
}

fn enabled(channel: &str) -> Result<bool, Error> {
    // SAFETY: no session is this machine; the name ends with a NUL.
    let config = Config(unsafe { EvtOpenChannelConfig(None, &HSTRING::from(channel), 0)? });
    let mut value = EVT_VARIANT::default();
    let mut used = 0;
    let size = u32::try_from(size_of::<EVT_VARIANT>()).unwrap_or(u32::MAX);
    // SAFETY: the configuration is open; the buffer is as large as is said, and a Boolean needs nothing behind it.
    unsafe {
        EvtGetChannelConfigProperty(
            config.0,
            EvtChannelConfigEnabled,
            0,
            size,
            Some(&raw mut value),
            &raw mut used,
        )?
    };
    // SAFETY: this property is a Boolean (win32, `WES/evt_channel_config_property_id.md`).
    Ok(unsafe { value.Anonymous.BooleanVal }.as_bool())
}

fn reason(error: &Error) -> String {
    if error.code().is_ok() {
        return "the event log failed without saying why".to_owned();
    }
    match u32::from_ne_bytes(error.code().0.to_ne_bytes()) {
        0x8007_3A9F => "there is no such channel (15007)".to_owned(),
        0x8007_0005 => "access is denied: run as administrator (5)".to_owned(),
        0x8007_06BA => "the service EventLog does not answer (1722)".to_owned(),
        code => format!("{} (0x{code:08X})", error.message().trim_end_matches('.')),
    }
}
