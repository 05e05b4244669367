//! The C interface of `libchdb.so`. The only file that may be unsafe here; everything above it speaks Rust.
//!
//! Traps avoided in this file:
//! * `dlclose` of the library while its threads live ends in a crash: the handle is never dropped.
//! * `chdb_shutdown` leaves the library unusable: it is not even looked up.
//! * the library's signal handlers would take SIGTERM from us: they are switched off before the first connection.
//! * binary data inside a query's text is cut at `;`, silently: [`Raw::insert`] is the only way data goes in.
#![allow(unsafe_code, reason = "calls into a C library")]

use libloading::{Library, Symbol};
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    mem::ManuallyDrop,
    path::Path,
    ptr::NonNull,
    sync::Arc,
};

type Handle = *mut c_void;
type Outer = *mut Handle;
type WithParams = unsafe extern "C" fn(
    Handle,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> Handle;

/// The functions of the library that are used.
pub(super) struct Api {
    connect: unsafe extern "C" fn(c_int, *const *const c_char) -> Outer,
    close: unsafe extern "C" fn(Outer),
    query: WithParams,
    stream: WithParams,
    fetch: unsafe extern "C" fn(Handle, Handle) -> Handle,
    cancel: unsafe extern "C" fn(Handle, Handle),
    destroy: unsafe extern "C" fn(Handle),
    buffer: unsafe extern "C" fn(Handle) -> *const c_char,
    length: unsafe extern "C" fn(Handle) -> usize,
    error: unsafe extern "C" fn(Handle) -> *const c_char,
    storage_rows_read: unsafe extern "C" fn(Handle) -> u64,
    storage_bytes_read: unsafe extern "C" fn(Handle) -> u64,
    rows_written: unsafe extern "C" fn(Handle) -> u64,
    insert_open: unsafe extern "C" fn(Handle, *const c_char, usize, *const c_char, usize) -> Handle,
    insert_append: unsafe extern "C" fn(Handle, *const c_char, usize) -> c_int,
    insert_done: unsafe extern "C" fn(Handle) -> Handle,
    insert_cancel: unsafe extern "C" fn(Handle),
    insert_error: unsafe extern "C" fn(Handle) -> *const c_char,
    insert_destroy: unsafe extern "C" fn(Handle),
    _library: ManuallyDrop<Library>,
}

impl Api {
    /// Loads the library and switches its signal handlers off.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, libloading::Error> {
        // SAFETY: the file is the pinned, verified library; its initialisers have no preconditions.
        let library = ManuallyDrop::new(unsafe { Library::new(path)? });
        // SAFETY: the signatures are those of the pinned version's chdb.h.
        let api = unsafe {
            let set_handlers: Symbol<'_, unsafe extern "C" fn(c_int)> =
                library.get(b"chdb_set_signal_handlers_enabled\0")?;
            set_handlers(0);
            Self {
                connect: *library.get(b"chdb_connect\0")?,
                close: *library.get(b"chdb_close_conn\0")?,
                query: *library.get(b"chdb_query_with_params_n\0")?,
                stream: *library.get(b"chdb_stream_query_with_params_n\0")?,
                fetch: *library.get(b"chdb_stream_fetch_result\0")?,
                cancel: *library.get(b"chdb_stream_cancel_query\0")?,
                destroy: *library.get(b"chdb_destroy_query_result\0")?,
                buffer: *library.get(b"chdb_result_buffer\0")?,
                length: *library.get(b"chdb_result_length\0")?,
                error: *library.get(b"chdb_result_error\0")?,
                storage_rows_read: *library.get(b"chdb_result_storage_rows_read\0")?,
                storage_bytes_read: *library.get(b"chdb_result_storage_bytes_read\0")?,
                rows_written: *library.get(b"chdb_result_rows_written\0")?,
                insert_open: *library.get(b"chdb_stream_insert_n\0")?,
                insert_append: *library.get(b"chdb_stream_append\0")?,
                insert_done: *library.get(b"chdb_stream_done\0")?,
                insert_cancel: *library.get(b"chdb_stream_cancel_insert\0")?,
                insert_error: *library.get(b"chdb_stream_insert_error\0")?,
                insert_destroy: *library.get(b"chdb_destroy_insert_stream\0")?,
                _library: library,
            }
        };
        Ok(Arc::new(api))
    }
}

/// A result of the library; freed when dropped.
pub(super) struct RawResult {
    api: Arc<Api>,
    handle: NonNull<c_void>,
}

// SAFETY: a result is plain memory, tied to no thread; it is used by one owner at a time.
unsafe impl Send for RawResult {}

impl RawResult {
    fn wrap(api: &Arc<Api>, handle: Handle) -> Option<Self> {
        NonNull::new(handle).map(|handle| Self { api: Arc::clone(api), handle })
    }

    /// ClickHouse's words, if it failed.
    pub(super) fn error(&self) -> Option<String> {
        // SAFETY: the handle is alive; the text belongs to it and is copied.
        unsafe { owned((self.api.error)(self.handle.as_ptr())) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: buffer and length describe memory that lives as long as the result, which `self` borrows.
        unsafe {
            let buffer = (self.api.buffer)(self.handle.as_ptr());
            let length = (self.api.length)(self.handle.as_ptr());
            if buffer.is_null() || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(buffer.cast(), length)
        }
    }

    /// (rows read, bytes read, rows written) from and to tables.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let handle = self.handle.as_ptr();
        // SAFETY: the handle is alive.
        unsafe {
            (
                (self.api.storage_rows_read)(handle),
                (self.api.storage_bytes_read)(handle),
                (self.api.rows_written)(handle),
            )
        }
    }
}

/// So that an answer can be sent without a copy of it.
impl AsRef<[u8]> for RawResult {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for RawResult {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library and is freed once.
        unsafe { (self.api.destroy)(self.handle.as_ptr()) }
    }
}

/// A connection; closed when dropped. Serialises by itself, so it is used by one caller at a time.
pub(super) struct Raw {
    api: Arc<Api>,
    outer: NonNull<Handle>,
}

// SAFETY: the library ties a connection to no thread (measured with connections handed between threads).
unsafe impl Send for Raw {}

/// Query parameters: names and values in text form.
pub(super) type Params = [(String, String)];

impl Raw {
    /// Opens a connection; `None` when the library refused (it says why on stderr).
    pub(super) fn open(api: &Arc<Api>, args: &[String]) -> Option<Self> {
        let args: Vec<CString> = args.iter().filter_map(|arg| CString::new(arg.as_str()).ok()).collect();
        let pointers: Vec<*const c_char> = args.iter().map(|arg| arg.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: `count` pointers to texts that live through the call.
        let outer = unsafe { (api.connect)(count, pointers.as_ptr()) };
        let outer = NonNull::new(outer)?;
        // SAFETY: a connection that is not null points to its handle.
        if unsafe { *outer.as_ptr() }.is_null() {
            return None;
        }
        Some(Self { api: Arc::clone(api), outer })
    }

    fn handle(&self) -> Handle {
        // SAFETY: checked in `open`; the library changes it only in `close`.
        unsafe { *self.outer.as_ptr() }
    }

    /// Runs a query to its end.
    pub(super) fn query(&self, sql: &str, format: &str, params: &Params) -> Option<RawResult> {
        self.call(self.api.query, sql, format, params)
    }

    /// Begins a query whose result is fetched in chunks.
    pub(super) fn stream(&self, sql: &str, format: &str, params: &Params) -> Option<RawResult> {
        self.call(self.api.stream, sql, format, params)
    }

    fn call(&self, function: WithParams, sql: &str, format: &str, params: &Params) -> Option<RawResult> {
        let names: Vec<*const c_char> = params.iter().map(|(name, _)| name.as_ptr().cast()).collect();
        let name_lengths: Vec<usize> = params.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<*const c_char> = params.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let value_lengths: Vec<usize> = params.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: every pointer comes with its length and lives through the call.
        let handle = unsafe {
            function(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                params.len(),
            )
        };
        RawResult::wrap(&self.api, handle)
    }

    /// The next chunk of a stream begun by [`Raw::stream`].
    pub(super) fn fetch(&self, stream: &RawResult) -> Option<RawResult> {
        // SAFETY: both handles are alive, the stream belongs to this connection.
        let handle = unsafe { (self.api.fetch)(self.handle(), stream.handle.as_ptr()) };
        RawResult::wrap(&self.api, handle)
    }

    /// Ends a stream before its end.
    pub(super) fn cancel(&self, stream: &RawResult) {
        // SAFETY: as in `fetch`.
        unsafe { (self.api.cancel)(self.handle(), stream.handle.as_ptr()) }
    }

    /// Begins an insert; `sql` has no FORMAT clause.
    pub(super) fn insert(&self, sql: &str, format: &str) -> Option<RawInsert<'_>> {
        // SAFETY: texts with their lengths, alive through the call.
        let handle = unsafe {
            (self.api.insert_open)(self.handle(), sql.as_ptr().cast(), sql.len(), format.as_ptr().cast(), format.len())
        };
        NonNull::new(handle).map(|handle| RawInsert { connection: self, handle, open: true })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: closed once, results that need it are gone (they are fetched and dropped by the connection's only user).
        unsafe { (self.api.close)(self.outer.as_ptr()) }
    }
}

/// An insert under way. Cancelled when dropped before [`RawInsert::done`].
pub(super) struct RawInsert<'c> {
    connection: &'c Raw,
    handle: NonNull<c_void>,
    open: bool,
}

impl RawInsert<'_> {
    /// ClickHouse's words, if it failed already.
    pub(super) fn error(&self) -> Option<String> {
        // SAFETY: the handle is alive; the text is copied.
        unsafe { owned((self.connection.api.insert_error)(self.handle.as_ptr())) }
    }

    /// Hands over data; false when the insert has failed.
    pub(super) fn append(&mut self, data: &[u8]) -> bool {
        // SAFETY: data with its length, copied by the library before it returns.
        let code =
            unsafe { (self.connection.api.insert_append)(self.handle.as_ptr(), data.as_ptr().cast(), data.len()) };
        code == 0 && self.error().is_none()
    }

    /// Ends the insert: after this the rows are there, or the result says why not.
    pub(super) fn done(mut self) -> Option<RawResult> {
        self.open = false;
        // SAFETY: called once, the handle is alive until `drop`.
        let handle = unsafe { (self.connection.api.insert_done)(self.handle.as_ptr()) };
        RawResult::wrap(&self.connection.api, handle)
    }
}

impl Drop for RawInsert<'_> {
    fn drop(&mut self) {
        // SAFETY: an insert that was not ended is cancelled, then freed, each once.
        unsafe {
            if self.open {
                (self.connection.api.insert_cancel)(self.handle.as_ptr());
            }
            (self.connection.api.insert_destroy)(self.handle.as_ptr());
        }
    }
}

/// A copy of a C text; `None` for null and empty.
///
/// # Safety
/// `text` is null or a C text that lives through the call.
unsafe fn owned(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: see above.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    (!text.is_empty()).then(|| text.into_owned())
}

/// Ends the process at once, without running what libraries left to be run at exit.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: does not return; everything that must reach the disk has been closed or is written by the kernel.
    unsafe { libc::_exit(code) }
}
