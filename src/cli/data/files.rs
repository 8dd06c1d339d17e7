//! Files opened for reading, and replaced as a whole.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use super::error::DataError;

/// The file and its length in bytes.
pub fn open(path: &Path) -> Result<(BufReader<File>, u64), DataError> {
    let opened = File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        Ok((BufReader::with_capacity(1 << 16, file), length))
    });
    opened.map_err(|cause| DataError::Open { file: path.display().to_string(), cause })
}

/// Puts a new file in place of `path` once `write` has written all of it; before, and after a failure, the old one stays.
///
/// A symbolic link stays a link to the file replaced; a device or pipe is written in place.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), DataError> {
    replaced(path, write)
        .map_err(|cause| DataError::Write { file: path.display().to_string(), cause })
}

fn replaced(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        let mut file = BufWriter::new(File::options().write(true).open(&path)?);
        write(&mut file)?;
        return file.flush();
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pullback-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let (file, name) = temporary.into_parts();
    let mut file = BufWriter::with_capacity(1 << 16, file);
    write(&mut file)?;
    file.into_inner().map_err(|error| error.into_error())?;
    name.persist(&path).map_err(|error| error.error)
}
