//! Offers ggml a [`Unit`] as a device that accelerates: what whisper.cpp lets compute before the processor, where it can.
//!
//! It takes products of matrices of at least [`ROWS_MIN`] rows in memory of the processor, of numbers of 32 and 16 bits;
//! everything else, what is quantised too, ggml computes as before. A graph is cut where they take turns, which costs some
//! microseconds.
//!
//! Where this version of whisper.cpp is not the one that was read, nothing is offered.

// 15. The structures below are those of ggml-backend-impl.h in whisper.cpp 1.8.3, whose registrations say that they have
//     this layout (version 2). Device and registration are made once and stay; a backend is made by `open` and taken
//     apart by `close`, which ggml calls once, and used by one thread at a time, as its state is.
// 16. A tensor of a graph that is computed lies where its `data` says, in memory of the processor, as `supports_buffers`
//     and the scheduler see to: `ne[0]` numbers a row, which `supports` has found to follow each other, rows `nb[1]` bytes
//     apart and so on. Nothing else writes to it meanwhile, and the sources of a product are not where it goes.

use std::{
    cell::Cell,
    ffi::{CStr, c_char, c_int, c_void},
    ptr::null_mut,
    slice,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use whisper_rs::{
    WHISPER_CPP_VERSION,
    whisper_rs_sys::{self as sys, ggml_backend_buffer_type_t, ggml_tensor},
};

use super::{Matrix, Numbers, Out, Unit};
use crate::whisper::stop;

/// Fewer rows are not worth packing the other matrix for.
const ROWS_MIN: i64 = 8;
const NAME: &CStr = c"afferent";

/// Products so far.
static PRODUCTS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether ggml computes what this thread asks for by itself.
    static IS_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// How many products were computed so far.
pub(in super::super) fn products() -> u64 {
    PRODUCTS.load(Ordering::Relaxed)
}

/// Has ggml compute by itself what `run` asks for on this thread.
pub(in super::super) fn refusing<T>(run: impl FnOnce() -> T) -> T {
    struct Leave(bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            IS_REFUSED.set(self.0);
        }
    }
    let _leave = Leave(IS_REFUSED.replace(true));
    run()
}

type Missing = Option<unsafe extern "C" fn()>;

#[repr(C)]
struct Backend {
    guid: *const [u8; 16],
    get_name: unsafe extern "C" fn(*mut Backend) -> *const c_char,
    free: unsafe extern "C" fn(*mut Backend),
    /// Asynchronous copies, plans.
    missing: [Missing; 8],
    graph_compute: unsafe extern "C" fn(*mut Backend, *mut sys::ggml_cgraph) -> sys::ggml_status,
    /// Events, and changing graphs.
    missing_too: [Missing; 3],
    device: *mut Device,
    context: *mut Unit,
}

#[repr(C)]
pub(super) struct Device {
    get_name: unsafe extern "C" fn(*mut Device) -> *const c_char,
    get_description: unsafe extern "C" fn(*mut Device) -> *const c_char,
    get_memory: unsafe extern "C" fn(*mut Device, *mut usize, *mut usize),
    get_type: unsafe extern "C" fn(*mut Device) -> sys::ggml_backend_dev_type,
    get_props: unsafe extern "C" fn(*mut Device, *mut sys::ggml_backend_dev_props),
    init_backend: unsafe extern "C" fn(*mut Device, *const c_char) -> *mut Backend,
    get_buffer_type: unsafe extern "C" fn(*mut Device) -> ggml_backend_buffer_type_t,
    /// Memory for copies, and memory of others.
    missing: [Missing; 2],
    supports_op: unsafe extern "C" fn(*mut Device, *const ggml_tensor) -> bool,
    supports_buft: unsafe extern "C" fn(*mut Device, ggml_backend_buffer_type_t) -> bool,
    /// Whether to copy weights, and events.
    missing_too: [Missing; 4],
    registration: *mut Registration,
    context: *mut c_void,
}

#[repr(C)]
struct Registration {
    api_version: c_int,
    get_name: unsafe extern "C" fn(*mut Registration) -> *const c_char,
    get_device_count: unsafe extern "C" fn(*mut Registration) -> usize,
    get_device: unsafe extern "C" fn(*mut Registration, usize) -> *mut Device,
    get_proc_address: Missing,
    context: *mut Device,
}

/// Offers it, once; says whether it is there. Before the first model is loaded.
pub(in super::super) fn install() -> bool {
    static OFFERED: OnceLock<bool> = OnceLock::new();
    *OFFERED.get_or_init(|| {
        if WHISPER_CPP_VERSION != stop::READ || Unit::best().is_none() {
            return false;
        }
        let registration = Box::into_raw(Box::new(Registration {
            api_version: stop::LAYOUT,
            get_name: registration_name,
            get_device_count,
            get_device,
            get_proc_address: None,
            context: null_mut(),
        }));
        let device = Box::into_raw(Box::new(Device {
            get_name: device_name,
            get_description: device_name,
            get_memory,
            get_type,
            get_props,
            init_backend: open,
            get_buffer_type,
            missing: [None; 2],
            supports_op: supports,
            supports_buft: supports_buffers,
            missing_too: [None; 4],
            registration,
            context: null_mut(),
        }));
        // SAFETY: 15; nobody else knows it yet.
        unsafe {
            (*registration).context = device;
            sys::ggml_backend_register(registration.cast());
        }
        true
    })
}

unsafe extern "C" fn registration_name(_: *mut Registration) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn get_device_count(_: *mut Registration) -> usize {
    1
}

unsafe extern "C" fn get_device(registration: *mut Registration, _: usize) -> *mut Device {
    // SAFETY: 15.
    unsafe { (*registration).context }
}

unsafe extern "C" fn device_name(_: *mut Device) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn get_memory(_: *mut Device, free: *mut usize, total: *mut usize) {
    // SAFETY: 15: ggml has room for both. It has no memory of its own.
    unsafe { (*free, *total) = (0, 0) };
}

unsafe extern "C" fn get_type(_: *mut Device) -> sys::ggml_backend_dev_type {
    sys::ggml_backend_dev_type_GGML_BACKEND_DEVICE_TYPE_ACCEL
}

unsafe extern "C" fn get_props(_: *mut Device, props: *mut sys::ggml_backend_dev_props) {
    let caps = sys::ggml_backend_dev_caps {
        async_: false,
        host_buffer: false,
        buffer_from_host_ptr: false,
        events: false,
    };
    // SAFETY: 15: ggml has room for them.
    unsafe {
        *props = sys::ggml_backend_dev_props {
            name: NAME.as_ptr(),
            description: NAME.as_ptr(),
            memory_free: 0,
            memory_total: 0,
            type_: sys::ggml_backend_dev_type_GGML_BACKEND_DEVICE_TYPE_ACCEL,
            device_id: std::ptr::null(),
            caps,
        };
    }
}

unsafe extern "C" fn get_buffer_type(_: *mut Device) -> ggml_backend_buffer_type_t {
    // SAFETY: ggml's own, which stays.
    unsafe { sys::ggml_backend_cpu_buffer_type() }
}

unsafe extern "C" fn supports_buffers(_: *mut Device, kind: ggml_backend_buffer_type_t) -> bool {
    // SAFETY: 15: ggml asks about what it has.
    unsafe { sys::ggml_backend_buft_is_host(kind) }
}

unsafe extern "C" fn open(device: *mut Device, _: *const c_char) -> *mut Backend {
    static GUID: [u8; 16] = *b"afferent product";
    let Some(unit) = Unit::best() else { return null_mut() };
    Box::into_raw(Box::new(Backend {
        guid: &raw const GUID,
        get_name,
        free: close,
        missing: [None; 8],
        graph_compute: compute,
        missing_too: [None; 3],
        device,
        context: Box::into_raw(Box::new(unit)),
    }))
}

unsafe extern "C" fn get_name(_: *mut Backend) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn close(backend: *mut Backend) {
    // SAFETY: 15: `open` has made both.
    let backend = unsafe { Box::from_raw(backend) };
    // SAFETY: as above.
    drop(unsafe { Box::from_raw(backend.context) });
}

/// Whether an operation is none, but a look at what is there.
const fn looks(operation: sys::ggml_op) -> bool {
    matches!(
        operation,
        sys::ggml_op_GGML_OP_NONE
            | sys::ggml_op_GGML_OP_RESHAPE
            | sys::ggml_op_GGML_OP_VIEW
            | sys::ggml_op_GGML_OP_PERMUTE
            | sys::ggml_op_GGML_OP_TRANSPOSE
    )
}

/// Bytes of a number.
const fn size(kind: sys::ggml_type) -> Option<usize> {
    match kind {
        sys::ggml_type_GGML_TYPE_F32 => Some(4),
        sys::ggml_type_GGML_TYPE_F16 => Some(2),
        _ => None,
    }
}

/// Whether the numbers of its rows follow each other, and rows begin where numbers do.
fn is_plain(tensor: &ggml_tensor) -> bool {
    size(tensor.type_)
        .is_some_and(|size| tensor.nb[0] == size && tensor.nb[1..].iter().all(|nb| nb % size == 0))
}

pub(super) unsafe extern "C" fn supports(_: *mut Device, tensor: *const ggml_tensor) -> bool {
    // SAFETY: 15: ggml asks about a tensor of a graph.
    let tensor = unsafe { &*tensor };
    if looks(tensor.op) {
        return true;
    }
    if tensor.op != sys::ggml_op_GGML_OP_MUL_MAT {
        return false;
    }
    // SAFETY: as above: a product has two sources.
    let (right, left) = unsafe { (&*tensor.src[0], &*tensor.src[1]) };
    !IS_REFUSED.get()
        && left.ne[1] >= ROWS_MIN
        && left.ne[0] > 0
        && is_plain(left)
        && is_plain(right)
        && is_plain(tensor)
        && tensor.type_ == sys::ggml_type_GGML_TYPE_F32
}

unsafe extern "C" fn compute(
    backend: *mut Backend,
    graph: *mut sys::ggml_cgraph,
) -> sys::ggml_status {
    // SAFETY: 15.
    let unit = unsafe { &mut *(*backend).context };
    // SAFETY: 16: a graph that is to be computed, of so many nodes.
    let count = unsafe { sys::ggml_graph_n_nodes(graph) };
    for at in 0..count {
        // SAFETY: as above.
        let node = unsafe { &*sys::ggml_graph_node(graph, at) };
        if looks(node.op) {
            continue;
        }
        PRODUCTS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: 16.
        if !unsafe { product(unit, node) } {
            return sys::ggml_status_GGML_STATUS_ABORTED;
        }
    }
    sys::ggml_status_GGML_STATUS_SUCCESS
}

/// Computes a product; says whether it came to its end.
///
/// # Safety
/// 16.
pub(super) unsafe fn product(unit: &mut Unit, node: &ggml_tensor) -> bool {
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    // SAFETY: 16.
    let (right, left) = unsafe { (&*node.src[0], &*node.src[1]) };
    for outer in 0..count(node.ne[3]) {
        for inner in 0..count(node.ne[2]) {
            // Where one matrix is multiplied with several.
            let shared = |of: &ggml_tensor| {
                (
                    inner / (count(node.ne[2]) / count(of.ne[2])),
                    outer / (count(node.ne[3]) / count(of.ne[3])),
                )
            };
            let begins = inner * node.nb[2] + outer * node.nb[3];
            let (rows, stride) = (count(node.ne[1]), node.nb[1] / size_of::<f32>());
            if rows == 0 || node.ne[0] == 0 {
                continue;
            }
            // SAFETY: 16.
            let numbers = unsafe {
                let first = node.data.byte_add(begins).cast::<f32>();
                slice::from_raw_parts_mut(first, stride * (rows - 1) + count(node.ne[0]))
            };
            // SAFETY: 16.
            let (left, right) =
                unsafe { (matrix(left, shared(left)), matrix(right, shared(right))) };
            let mut out = Out { numbers, stride };
            if !unit.multiply(&left, &right, &mut out, stop::is_told_to) {
                return false;
            }
        }
    }
    true
}

/// One of the matrices of a tensor.
///
/// # Safety
/// 16; it is one of its matrices, and has rows.
unsafe fn matrix(tensor: &ggml_tensor, (inner, outer): (usize, usize)) -> Matrix<'_> {
    let (len, rows) = (tensor.ne[0].max(0) as usize, tensor.ne[1].max(1) as usize);
    let begins = inner * tensor.nb[2] + outer * tensor.nb[3];
    let stride = tensor.nb[1] / size(tensor.type_).unwrap_or(1);
    let all = stride * (rows - 1) + len;
    // SAFETY: 16.
    let numbers = unsafe {
        let first = tensor.data.byte_add(begins);
        match tensor.type_ {
            sys::ggml_type_GGML_TYPE_F16 => Numbers::Half(slice::from_raw_parts(first.cast(), all)),
            _ => Numbers::Single(slice::from_raw_parts(first.cast(), all)),
        }
    };
    Matrix { numbers, stride, rows, len }
}
