// A stream brings bytes in pieces of any size. What comes of them must not depend on where it was cut.

/// What a machine made of its input.
struct Transcript: Equatable, CustomStringConvertible {
    /// What it had sent, in order.
    var sent: [UInt8] = []
    /// What it had said, each as text.
    var steps: [String] = []
    /// What its input until here comes to, encoded, where nothing in the bytes ends it.
    var understood: [UInt8]?
    /// How it ended, if it did: a result or an error. From then on the bytes are somebody else's.
    var end: String?
    var hasFailed = false

    var description: String {
        "\(sent.count) bytes sent, \(steps), \(understood ?? []), \(end ?? "no end")\(hasFailed ? " (failed)" : "")"
    }
}

/// Feeds `bytes` to what `run` makes: at once, in pieces, and only as far as they were consumed; and demands that all
/// three lead to the same, that what is left is exactly what was not consumed, and that the output is bounded.
///
/// - Parameters:
///   - outputLimit: how many bytes may be sent for `count` that were consumed.
///   - run: starts anew; gets what has arrived, takes from its front what it understands, and is called as long as it
///     takes something or says so. Returns whether it wants to be called again at once.
@discardableResult
func feedInPieces(
    _ bytes: [UInt8], outputLimit: (_ count: Int) -> Int,
    _ start: () -> (inout ArraySlice<UInt8>, inout Transcript) -> Bool
) throws(FuzzFailure) -> Transcript {
    let (whole, left) = feed(bytes, pieces: bytes.count, start())
    try require(left.elementsEqual(bytes.suffix(left.count)), "what is left is the end of the input")
    let consumed = bytes.count - left.count
    try require(
        whole.sent.count <= outputLimit(consumed), "\(whole.sent.count) bytes are sent for \(consumed) that came")

    let (cut, leftOfCut) = feed(bytes, pieces: bytes.count <= 96 ? 1 : 11, start())
    // Behind an error nobody goes on: what was taken of the message that broke a rule is of no interest, nor whether an
    // answer to what came before it, in the same piece, was still sent.
    guard !whole.hasFailed else {
        try requireEqual(cut.end, whole.end, "pieces make a difference to the error")
        try require(
            cut.sent.starts(with: whole.sent) || whole.sent.starts(with: cut.sent), "pieces change what is sent")
        return whole
    }
    try requireEqual(cut, whole, "pieces make a difference")
    try requireEqual(leftOfCut.count, left.count, "pieces make a difference to what is left")

    let (exact, leftOfExact) = feed(Array(bytes.prefix(consumed)), pieces: max(1, consumed), start())
    try require(leftOfExact.isEmpty, "what was consumed needs nothing behind it")
    try requireEqual(exact, whole, "what was not consumed makes a difference")
    return whole
}

private func feed(
    _ bytes: [UInt8], pieces size: Int, _ run: (inout ArraySlice<UInt8>, inout Transcript) -> Bool
) -> (Transcript, left: ArraySlice<UInt8>) {
    var transcript = Transcript()
    var input: ArraySlice<UInt8> = []
    var rest = bytes[...]
    repeat {
        input = Array(input)[...] + rest.prefix(size)
        rest = rest.dropFirst(size)
        while transcript.end == nil, run(&input, &transcript) {}
    } while !rest.isEmpty && transcript.end == nil
    return (transcript, input + rest)
}

extension Transcript {
    /// Notes a result behind which the bytes are somebody else's.
    mutating func finish(_ result: some Any) {
        end = "\(result)"
    }

    mutating func fail(_ error: some Error) {
        end = "\(error)"
        hasFailed = true
    }
}
