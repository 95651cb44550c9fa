//! Tiny ONNX files, written by hand, and tensors read from the files of ONNX's own tests.

/// A field of a message: number, and bytes or a whole number.
fn bytes_field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(number << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

fn whole_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A tensor of f32 with open dimensions where the length is none.
fn value(name: &str, shape: &[Option<usize>]) -> Vec<u8> {
    let dimensions = shape.iter().map(|len| {
        let dimension = match len {
            Some(len) => whole_field(1, *len as u64),
            None => bytes_field(2, b"N"),
        };
        bytes_field(1, &dimension)
    });
    let shape = bytes_field(2, &dimensions.collect::<Vec<_>>().concat());
    let tensor = bytes_field(1, &[whole_field(1, 1), shape].concat());
    [bytes_field(1, name.as_bytes()), bytes_field(2, &tensor)].concat()
}

/// A model of one operator from `x` to `y`, both of this shape.
pub fn unary(operator: &str, shape: &[Option<usize>]) -> Vec<u8> {
    model(&[(operator, "y")], shape)
}

/// A model of one operator for each output, each from `x`, all of this shape.
pub fn model(outputs: &[(&str, &str)], shape: &[Option<usize>]) -> Vec<u8> {
    let mut graph = Vec::new();
    for (operator, output) in outputs {
        let node = [
            bytes_field(1, b"x"),
            bytes_field(2, output.as_bytes()),
            bytes_field(4, operator.as_bytes()),
        ];
        graph.extend(bytes_field(1, &node.concat()));
    }
    graph.extend(bytes_field(2, b"tiny"));
    graph.extend(bytes_field(11, &value("x", shape)));
    for (_, output) in outputs {
        graph.extend(bytes_field(12, &value(output, shape)));
    }
    let opset = bytes_field(8, &[bytes_field(1, b""), whole_field(2, 17)].concat());
    [whole_field(1, 8), bytes_field(7, &graph), opset].concat()
}

/// A model of two inputs, `a` and `b`, and their difference `y`, all of this shape.
pub fn subtract(shape: &[Option<usize>]) -> Vec<u8> {
    let node =
        [bytes_field(1, b"a"), bytes_field(1, b"b"), bytes_field(2, b"y"), bytes_field(4, b"Sub")];
    let graph = [
        bytes_field(1, &node.concat()),
        bytes_field(2, b"tiny"),
        bytes_field(11, &value("a", shape)),
        bytes_field(11, &value("b", shape)),
        bytes_field(12, &value("y", shape)),
    ];
    let opset = bytes_field(8, &[bytes_field(1, b""), whole_field(2, 17)].concat());
    [whole_field(1, 8), bytes_field(7, &graph.concat()), opset].concat()
}

/// A model of `count` dense layers without bias, from `x` to `y`, [N, `size`]; each shifts by one place:
/// `y[j]` is `x[j + count]`, counted round. 4 · `count` · `size`² bytes of constants.
pub fn layers(count: usize, size: usize) -> Vec<u8> {
    let mut weights = vec![0.0_f32; size * size];
    (0..size).for_each(|column| weights[(column + 1) % size * size + column] = 1.0);
    let raw: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let mut graph = Vec::new();
    for layer in 0..count {
        let name = |number: usize| match number {
            0 => "x".to_owned(),
            number if number == count => "y".to_owned(),
            number => format!("h{number}"),
        };
        let weight = format!("w{layer}");
        let node = [
            bytes_field(1, name(layer).as_bytes()),
            bytes_field(1, weight.as_bytes()),
            bytes_field(2, name(layer + 1).as_bytes()),
            bytes_field(4, b"MatMul"),
        ];
        graph.extend(bytes_field(1, &node.concat()));
    }
    graph.extend(bytes_field(2, b"layers"));
    for layer in 0..count {
        let tensor = [
            whole_field(1, size as u64),
            whole_field(1, size as u64),
            whole_field(2, 1),
            bytes_field(8, format!("w{layer}").as_bytes()),
            bytes_field(9, &raw),
        ];
        graph.extend(bytes_field(5, &tensor.concat()));
    }
    graph.extend(bytes_field(11, &value("x", &[None, Some(size)])));
    graph.extend(bytes_field(12, &value("y", &[None, Some(size)])));
    let opset = bytes_field(8, &[bytes_field(1, b""), whole_field(2, 17)].concat());
    [whole_field(1, 8), bytes_field(7, &graph), opset].concat()
}

/// A model of one matrix product: `x` of any number of questions of `weights.len()` numbers, `y` with as many as a row
/// of the weights has.
pub fn product(weights: &[Vec<f32>]) -> Vec<u8> {
    let (rows, columns) = (weights.len(), weights[0].len());
    let node = [
        bytes_field(1, b"x"),
        bytes_field(1, b"w"),
        bytes_field(2, b"y"),
        bytes_field(4, b"MatMul"),
    ];
    let raw: Vec<u8> = weights.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    let tensor = [
        whole_field(1, rows as u64),
        whole_field(1, columns as u64),
        whole_field(2, 1),
        bytes_field(8, b"w"),
        bytes_field(9, &raw),
    ];
    let graph = [
        bytes_field(1, &node.concat()),
        bytes_field(2, b"tiny"),
        bytes_field(5, &tensor.concat()),
        bytes_field(11, &value("x", &[None, Some(rows)])),
        bytes_field(12, &value("y", &[None, Some(columns)])),
    ];
    let opset = bytes_field(8, &[bytes_field(1, b""), whole_field(2, 17)].concat());
    [whole_field(1, 8), bytes_field(7, &graph.concat()), opset].concat()
}

/// The numbers of a `TensorProto` of f32, and its shape.
pub fn tensor(bytes: &[u8]) -> Option<(Vec<usize>, Vec<f32>)> {
    let (mut shape, mut floats, mut is_f32) = (Vec::new(), Vec::new(), false);
    let mut at = 0;
    while at < bytes.len() {
        let key = read_varint(bytes, &mut at)?;
        match (key >> 3, key & 7) {
            (1, 0) => shape.push(read_varint(bytes, &mut at)? as usize),
            (2, 0) => is_f32 = read_varint(bytes, &mut at)? == 1,
            (_, 0) => drop(read_varint(bytes, &mut at)?),
            (number, 2) => {
                let len = read_varint(bytes, &mut at)? as usize;
                let part = bytes.get(at..at + len)?;
                at += len;
                match number {
                    1 => {
                        let mut inner = 0;
                        while inner < part.len() {
                            shape.push(read_varint(part, &mut inner)? as usize);
                        }
                    }
                    4 | 9 => {
                        let four = part.chunks_exact(4);
                        floats.extend(
                            four.map(|raw| f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]])),
                        );
                    }
                    _ => {}
                }
            }
            (_, 5) => at += 4,
            (_, 1) => at += 8,
            _ => return None,
        }
    }
    is_f32.then_some((shape, floats))
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
