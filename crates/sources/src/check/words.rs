//! Error numbers of WMI and PDH in words; the system's own message table has neither.

/// An HRESULT of WMI or of what carries it (win32, `WmiSdk/wmi-error-constants.md`; `winerror.h`).
pub(super) fn wmi(code: u32) -> String {
    let words = match code {
        0x8004_1001 => "the provider failed",
        0x8004_1002 => "it was not found",
        0x8004_1003 => "access is denied: run as administrator, or as an account that may read this namespace",
        0x8004_1006 => "the provider is out of memory",
        0x8004_1008 => "a parameter is not valid",
        0x8004_100C => "it is not supported",
        0x8004_100E => "there is no such namespace",
        0x8004_1010 => "there is no such class",
        0x8004_1013 => "the provider cannot be loaded",
        0x8004_1014 => "the provider cannot be started",
        0x8004_1017 => "the query is not valid",
        0x8004_1032 => "the call was cancelled",
        0x8004_1033 => "the service is shutting down",
        0x8000_4001 => "it is not implemented",
        0x8007_0005 => "access is denied: run as administrator",
        0x8007_0422 => "the service Winmgmt is disabled",
        0x8007_06BA => "the service Winmgmt does not answer",
        _ => "it failed",
    };
    format!("{words} (0x{code:08X})")
}

/// A status of PDH (win32, `PerfCtrs/pdh-error-codes.md`).
pub(super) fn pdh(code: u32) -> String {
    let words = match code {
        0x8000_07D5 => "there is no data: the set has no instance now",
        0x8000_07D1 => "there is no such instance",
        0xC000_0BB8 => "there is no such counter set",
        0xC000_0BB9 => "there is no such counter",
        0xC000_0BBA => "the data is not valid",
        0xC000_0BBB => "PDH is out of memory",
        0xC000_0BBD => "an argument is not valid",
        0xC000_0BC0 => "the path of the counter is not valid",
        0xC000_0BC6 => "no data came back",
        0xC000_0BDB => "access is denied: join the group Performance Monitor Users",
        _ => "it failed",
    };
    format!("{words} (0x{code:08X})")
}
