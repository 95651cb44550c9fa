//! [`Polled`]: stops whisper.cpp while it computes.
//!
//! whisper.cpp asks its abort callback once the whole encoder is through, which takes up to seconds. ggml can ask
//! after every node of a graph, but whisper.cpp does not hand the callback on to it. It does look up, before each
//! graph, the function that sets a backend's number of threads, and calls it: here that function also sets the
//! callback of the backend.
//!
//! Products of matrices, of which one may take 25 ms, are looked at more often where they are [ours](super::products).
//!
//! Where this version of whisper.cpp is not the one that was read, nothing is put in place, and decoding stops as late
//! as whisper.cpp does.

// 3. `Registration` is `struct ggml_backend_reg` of ggml-backend-impl.h in whisper.cpp 1.8.3, whose first field says
//    that it has this layout (version 2); nothing else is touched unless both versions fit. The object is a static
//    that is not constant, and whisper.cpp reads it while it loads a model or computes; it is changed once, before
//    this process loads its first.
// 4. The functions that were looked up by name have the types that ggml-backend.h declares for these names.
// 5. A callback's data is a `Polled` of a call further up this thread's stack, set for that call and no longer.

use std::{
    cell::Cell,
    ffi::{CStr, c_char, c_int, c_void},
    ptr::null_mut,
    sync::OnceLock,
};

use whisper_rs::{
    WHISPER_CPP_VERSION,
    whisper_rs_sys::{self as sys, ggml_backend_reg_t, ggml_backend_t},
};

/// The version whose sources were read.
pub(super) const READ: &str = "1.8.3";
/// Of `struct ggml_backend_reg`.
pub(super) const LAYOUT: c_int = 2;
const SET_THREADS: &CStr = c"ggml_backend_set_n_threads";
const SET_ABORT: &CStr = c"ggml_backend_set_abort_callback";

type Lookup = unsafe extern "C" fn(ggml_backend_reg_t, *const c_char) -> *mut c_void;
type SetThreads = unsafe extern "C" fn(ggml_backend_t, c_int);
type Poll = unsafe extern "C" fn(*mut c_void) -> bool;
type SetAbort = unsafe extern "C" fn(ggml_backend_t, Option<Poll>, *mut c_void);

#[repr(C)]
struct Registration {
    api_version: c_int,
    get_name: *mut c_void,
    get_device_count: *mut c_void,
    get_device: *mut c_void,
    get_proc_address: Option<Lookup>,
    context: *mut c_void,
}

/// What was there before.
struct Real {
    lookup: Lookup,
    set_threads: SetThreads,
    set_abort: SetAbort,
}

static REAL: OnceLock<Option<Real>> = OnceLock::new();

thread_local! {
    /// What the call that runs on this thread is stopped by.
    static CURRENT: Cell<*const c_void> = const { Cell::new(std::ptr::null()) };
}

/// Puts the function in place; says whether it is there.
pub(super) fn install() -> bool {
    REAL.get_or_init(|| {
        if WHISPER_CPP_VERSION != READ {
            return None;
        }
        // SAFETY: looks a name up.
        let found = unsafe { sys::ggml_backend_reg_by_name(c"CPU".as_ptr()) };
        let registration = found.cast::<Registration>();
        // SAFETY: 3; the version is the first field in every version.
        if registration.is_null() || unsafe { (*registration).api_version } != LAYOUT {
            return None;
        }
        // SAFETY: looks names up in what was found.
        let (threads, abort) = unsafe {
            (
                sys::ggml_backend_reg_get_proc_address(found, SET_THREADS.as_ptr()),
                sys::ggml_backend_reg_get_proc_address(found, SET_ABORT.as_ptr()),
            )
        };
        if threads.is_null() || abort.is_null() {
            return None;
        }
        // SAFETY: 3, 4.
        unsafe {
            let real = Real {
                lookup: (*registration).get_proc_address?,
                set_threads: std::mem::transmute::<*mut c_void, SetThreads>(threads),
                set_abort: std::mem::transmute::<*mut c_void, SetAbort>(abort),
            };
            (*registration).get_proc_address = Some(look_up);
            Some(real)
        }
    })
    .is_some()
}

fn real() -> Option<&'static Real> {
    REAL.get()?.as_ref()
}

unsafe extern "C" fn look_up(registration: ggml_backend_reg_t, name: *const c_char) -> *mut c_void {
    // It is called from the moment it is in place, which is before `REAL` is set.
    let Some(real) = real() else { return null_mut() };
    // SAFETY: ggml hands on names that end with a zero.
    if !name.is_null() && unsafe { CStr::from_ptr(name) } == SET_THREADS {
        return set_threads as SetThreads as *mut c_void;
    }
    // SAFETY: 4.
    unsafe { (real.lookup)(registration, name) }
}

unsafe extern "C" fn set_threads(backend: ggml_backend_t, count: c_int) {
    let Some(real) = real() else { return };
    let data = CURRENT.get().cast_mut();
    let callback: Option<Poll> = if data.is_null() { None } else { Some(poll) };
    // SAFETY: 4, 5.
    unsafe {
        (real.set_threads)(backend, count);
        (real.set_abort)(backend, callback, data);
    }
}

unsafe extern "C" fn poll(data: *mut c_void) -> bool {
    // SAFETY: 5.
    unsafe { &*data.cast::<Polled<'_>>() }.stops()
}

/// Whether what runs on this thread is to stop.
#[cfg(target_arch = "x86_64")]
pub(super) fn is_told_to() -> bool {
    let data = CURRENT.get().cast_mut();
    // SAFETY: 5.
    !data.is_null() && unsafe { poll(data) }
}

/// Asks whether to stop, until the answer is yes.
pub(super) struct Polled<'a> {
    asks: &'a dyn Fn() -> bool,
    stopped: Cell<bool>,
}

impl<'a> Polled<'a> {
    pub(super) fn new(asks: &'a dyn Fn() -> bool) -> Self {
        Self { asks, stopped: Cell::new(false) }
    }

    pub(super) fn stops(&self) -> bool {
        if !self.stopped.get() {
            self.stopped.set((self.asks)());
        }
        self.stopped.get()
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Has whisper.cpp itself ask, between its graphs: in a call that is made on this thread, while `self` lives.
    pub(super) fn watch(&self, params: &mut sys::whisper_full_params) {
        params.abort_callback = Some(poll);
        params.abort_callback_user_data = (&raw const *self).cast_mut().cast();
    }

    /// Has ggml ask while `run` computes on this thread.
    pub(super) fn during<T>(&self, run: impl FnOnce() -> T) -> T {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(std::ptr::null());
            }
        }
        CURRENT.set((&raw const *self).cast());
        let _leave = Leave;
        run()
    }
}

/// What whisper.cpp was built for and this processor lacks.
pub(super) fn missing_feature() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: these tell what was said when they were compiled.
        let built = unsafe {
            [
                ("AVX2", sys::ggml_cpu_has_avx2(), is_x86_feature_detected!("avx2")),
                ("FMA", sys::ggml_cpu_has_fma(), is_x86_feature_detected!("fma")),
                ("F16C", sys::ggml_cpu_has_f16c(), is_x86_feature_detected!("f16c")),
                ("BMI2", sys::ggml_cpu_has_bmi2(), is_x86_feature_detected!("bmi2")),
                ("AVX-512", sys::ggml_cpu_has_avx512(), is_x86_feature_detected!("avx512f")),
            ]
        };
        built.into_iter().find(|(_, built, here)| *built != 0 && !here).map(|(name, ..)| name)
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}
