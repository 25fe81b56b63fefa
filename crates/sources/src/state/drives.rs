//! Disks of Windows by their number, each asked with a limit of its own.
#![expect(unsafe_code, reason = "questions to drivers are a C interface")]

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::time::{Duration, Instant};

use windows::Win32::Foundation::{CloseHandle, ERROR_IO_PENDING, HANDLE, WAIT_TIMEOUT};
use windows::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE};
use windows::Win32::System::IO::{CancelIoEx, DeviceIoControl, GetOverlappedResultEx, OVERLAPPED};
use windows::Win32::System::Ioctl::IOCTL_STORAGE_QUERY_PROPERTY;
use windows::Win32::System::Threading::CreateEventW;
use windows::core::{HRESULT, PCWSTR};

use super::nvme::Drives;

/// One question may take this long: a drive that is dying hides no other.
const LIMIT: Duration = Duration::from_secs(5);

/// All of them together; what is left then is said not to have been asked. Below the limit of the whole class.
const ALL: Duration = Duration::from_secs(15);

/// Room for an answer: the longest that is asked for is a page with what stands before it.
const ROOM: usize = 1024;

/// The disks `\\.\PhysicalDriveN`.
#[derive(Debug)]
pub(crate) struct Physical {
    began: Instant,
}

impl Physical {
    /// Begins to ask.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now() }
    }
}

impl Drives for Physical {
    fn ask(&mut self, number: u32, question: &[u8]) -> Result<Option<Vec<u8>>, String> {
        if self.began.elapsed() >= ALL {
            return Err(format!("not asked: those before took {} s", ALL.as_secs()));
        }
        // What a disk is may be asked without any right to its contents.
        let opened = OpenOptions::new()
            .access_mode(0)
            .share_mode((FILE_SHARE_READ | FILE_SHARE_WRITE).0)
            .custom_flags(FILE_FLAG_OVERLAPPED.0)
            .open(format!(r"\\.\PhysicalDrive{number}"));
        match opened {
            Ok(disk) => ask(disk, question).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Everything that a driver may still write to when a question is given up: it stays until the driver has let go of it.
struct Asked {
    disk: File,
    event: HANDLE,
    buffer: Vec<u8>,
    overlapped: OVERLAPPED,
}

fn ask(disk: File, question: &[u8]) -> Result<Vec<u8>, String> {
    // SAFETY: an event without a name, that is reset by hand; it is closed below.
    let event = unsafe { CreateEventW(None, true, false, PCWSTR::null()) }.map_err(|error| error.message())?;
    let mut buffer = question.to_vec();
    buffer.resize(ROOM.max(question.len()), 0);
    let mut asked = Box::new(Asked {
        disk,
        event,
        buffer,
        overlapped: OVERLAPPED {
            hEvent: event,
            ..OVERLAPPED::default()
        },
    });
    let handle = HANDLE(asked.disk.as_raw_handle());
    let length = u32::try_from(question.len()).unwrap_or(u32::MAX);
    let room = u32::try_from(asked.buffer.len()).unwrap_or(u32::MAX);
    let place = asked.buffer.as_mut_ptr();
    let overlapped = &raw mut asked.overlapped;
    // SAFETY: the disk is open; buffer and overlapped live in a box until the driver has answered or for ever. One buffer may be both.
    let begun = unsafe {
        DeviceIoControl(
            handle,
            IOCTL_STORAGE_QUERY_PROPERTY,
            Some(place.cast_const().cast()),
            length,
            Some(place.cast()),
            room,
            None,
            Some(overlapped),
        )
    };
    if let Err(error) = begun
        && error.code() != ERROR_IO_PENDING.to_hresult()
    {
        close(*asked);
        return Err(error.message());
    }
    let wait = |limit: Duration| {
        let (mut bytes, millis) = (0, u32::try_from(limit.as_millis()).unwrap_or(u32::MAX));
        // SAFETY: as above; the question was begun.
        let result = unsafe { GetOverlappedResultEx(handle, overlapped.cast_const(), &raw mut bytes, millis, false) };
        result.map(|()| bytes)
    };
    match wait(LIMIT) {
        Ok(bytes) => {
            let answer = asked.buffer.get(..bytes as usize).unwrap_or_default().to_vec();
            close(*asked);
            Ok(answer)
        }
        Err(error) if error.code() == HRESULT::from_win32(WAIT_TIMEOUT.0) => {
            // SAFETY: as above.
            let _ = unsafe { CancelIoEx(handle, Some(overlapped.cast_const())) };
            // One that does not even let go keeps what it may write to: a kilobyte, and its disk.
            match wait(LIMIT) {
                Err(error) if error.code() == HRESULT::from_win32(WAIT_TIMEOUT.0) => {
                    let _: &mut Asked = Box::leak(asked);
                }
                _ => close(*asked),
            }
            Err(format!("no answer within {} s", LIMIT.as_secs()))
        }
        Err(error) => {
            close(*asked);
            Err(error.message())
        }
    }
}

fn close(asked: Asked) {
    // SAFETY: the event was made here, and nobody waits for it any more.
    let _ = unsafe { CloseHandle(asked.event) };
}
