//! Vectors and quaternions, as arrays.

/// x, y, z.
pub type Vector = [f64; 3];

/// w, x, y, z.
pub type Quaternion = [f64; 4];

/// The vector product.
#[inline(always)]
pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The scalar product.
#[inline(always)]
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The vector of length 1 in this direction; none of zero, nor of what is not finite.
#[inline(always)]
pub fn unit(v: Vector) -> Option<Vector> {
    let squared = dot(v, v);
    // Squares of smaller ones lose their digits; no sensor shows so little.
    if !(1e-60..1e300).contains(&squared) {
        return None;
    }
    let scale = 1.0 / squared.sqrt();
    Some(v.map(|part| part * scale))
}

/// The product of two quaternions: turned by `b` first, then by `a`.
#[inline(always)]
pub fn product(a: Quaternion, b: Quaternion) -> Quaternion {
    [
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ]
}

/// A vector of the body in the axes of the earth.
pub fn to_earth(q: Quaternion, v: Vector) -> Vector {
    let [north, west, up] = rows(q);
    [dot(north, v), dot(west, v), dot(up, v)]
}

/// A vector of the earth in the axes of the body.
pub fn to_body(q: Quaternion, v: Vector) -> Vector {
    to_earth([q[0], -q[1], -q[2], -q[3]], v)
}

/// The rows of the matrix that turns vectors of the body into those of the earth: the axes of the
/// earth as the body sees them.
fn rows([w, x, y, z]: Quaternion) -> [Vector; 3] {
    [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
}

/// The quaternion of a matrix: of four ways to write it, the one that divides by the largest part.
pub(super) fn from_rows([a, b, c]: [Vector; 3]) -> Quaternion {
    let trace = a[0] + b[1] + c[2];
    let q = if trace > 0.0 {
        [1.0 + trace, c[1] - b[2], a[2] - c[0], b[0] - a[1]]
    } else if a[0] >= b[1] && a[0] >= c[2] {
        [c[1] - b[2], 1.0 + a[0] - b[1] - c[2], a[1] + b[0], a[2] + c[0]]
    } else if b[1] >= c[2] {
        [a[2] - c[0], a[1] + b[0], 1.0 + b[1] - a[0] - c[2], b[2] + c[1]]
    } else {
        [b[0] - a[1], a[2] + c[0], b[2] + c[1], 1.0 + c[2] - a[0] - b[1]]
    };
    of_any_length(q)
}

/// As long as 1; what has no length stands upright.
#[inline(always)]
pub(super) fn of_any_length(q: Quaternion) -> Quaternion {
    let squared: f64 = q.iter().map(|part| part * part).sum();
    if !(1e-60..1e300).contains(&squared) {
        return [1.0, 0.0, 0.0, 0.0];
    }
    let scale = 1.0 / squared.sqrt();
    q.map(|part| part * scale)
}

/// The same for what is nearly as long as 1. A root and a division take 40 cycles one after the
/// other; with e = |q|² − 1 the series 1 − e/2 + 3e²/8 takes 12, and is off by 5/16 |e|³.
#[inline(always)]
pub(super) fn lengthened(q: Quaternion) -> Quaternion {
    let excess = q[0] * q[0] + q[1] * q[1] + (q[2] * q[2] + q[3] * q[3]) - 1.0;
    if excess.abs() < 1e-4 {
        let scale = 1.0 + excess * (0.375 * excess - 0.5);
        return q.map(|part| part * scale);
    }
    of_any_length(q)
}

/// Roll about x, pitch about y, yaw about z, in this order about the axes of the body; in radians.
pub fn euler_rad([w, x, y, z]: Quaternion) -> Vector {
    let half = 0.5 - y * y;
    [
        (w * x + y * z).atan2(half - x * x),
        (2.0 * (w * y - z * x)).clamp(-1.0, 1.0).asin(),
        (w * z + x * y).atan2(half - z * z),
    ]
}

/// The quaternion of roll, pitch and yaw.
pub fn from_euler_rad([roll, pitch, yaw]: Vector) -> Quaternion {
    let about = |axis: usize, angle: f64| {
        let (sin, cos) = (0.5 * angle).sin_cos();
        let mut q = [cos, 0.0, 0.0, 0.0];
        q[axis] = sin;
        q
    };
    product(about(3, yaw), product(about(2, pitch), about(1, roll)))
}
