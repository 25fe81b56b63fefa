//! Files that only their owner may read, made so from the first moment: there is no time at which another could open them.
//!
//! Unix has modes for it, Windows access lists. Where a file system of Windows keeps no access lists (FAT), the file is made
//! all the same, as a mode is on such a file system of Unix.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a file that was not there, for reading and writing by its owner alone.
///
/// # Errors
///
/// As [`File::create_new`].
#[cfg(unix)]
pub(crate) fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a file that was not there, for reading and writing by its owner, the system and administrators alone.
///
/// Nothing is inherited from the folder. The system and administrators can take any file; leaving them out would only break
/// backups.
///
/// # Errors
///
/// As [`File::create_new`].
#[cfg(windows)]
#[expect(
    unsafe_code,
    reason = "the standard library has no way to name an access list when a file is made"
)]
pub(crate) fn create(path: &Path) -> io::Result<File> {
    use std::os::windows::ffi::OsStrExt as _;
    use std::os::windows::io::FromRawHandle as _;

    use windows::Win32::Foundation::{GENERIC_WRITE, HLOCAL, LocalFree};
    use windows::Win32::Security::Authorization::{
        ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
    };
    use windows::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};
    use windows::Win32::Storage::FileSystem::{CREATE_NEW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_NONE};
    use windows::core::{PCWSTR, w};

    /// Frees what the system allocated for the list.
    struct Descriptor(PSECURITY_DESCRIPTOR);

    impl Drop for Descriptor {
        fn drop(&mut self) {
            // SAFETY: the pointer comes from the conversion below, which says to free it so, and is freed once.
            unsafe {
                LocalFree(Some(HLOCAL(self.0.0)));
            }
        }
    }

    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    if name[..name.len() - 1].contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path cannot hold a NUL"));
    }
    let mut descriptor = Descriptor(PSECURITY_DESCRIPTOR::default());
    // Protected from inheritance; everything to the owner (OW), the system (SY) and administrators (BA).
    let text = w!("D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)");
    // SAFETY: the text ends with a NUL, and the pointer to be filled lives through the call.
    unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &raw mut descriptor.0, None)?
    };
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(u32::MAX),
        lpSecurityDescriptor: descriptor.0.0,
        bInheritHandle: false.into(),
    };
    // SAFETY: name ends with a NUL; the attributes and the list that they point to live through the call.
    let handle = unsafe {
        CreateFileW(
            PCWSTR(name.as_ptr()),
            GENERIC_WRITE.0,
            FILE_SHARE_NONE,
            Some(&raw const attributes),
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            None,
        )?
    };
    // SAFETY: the handle is a file's, it is ours alone, and nobody else closes it.
    Ok(unsafe { File::from_raw_handle(handle.0) })
}
