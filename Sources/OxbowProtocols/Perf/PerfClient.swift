/// The client of `/perf/1.0.0`: uploads, ends its side, and counts what comes back.
public struct PerfClient: Sendable, Hashable {
    private var upload: PerfSource
    private let expected: UInt64
    /// How many bytes have come back.
    public private(set) var downloaded: UInt64 = 0

    /// - Parameters:
    ///   - upload: how many bytes to send.
    ///   - download: how many bytes to ask for. `UInt64.max` asks for as much as comes until the client resets.
    public init(upload: UInt64, download: UInt64) {
        self.upload = PerfSource(upload)
        expected = download
    }

    /// The request, to be sent before the upload.
    public func start() -> [UInt8] {
        (0..<Perf.headerLength).map { UInt8(truncatingIfNeeded: expected >> UInt64(8 * (7 - $0))) }
    }

    /// What to write now that `room` bytes can be queued.
    public mutating func next(room: Int) -> PerfOutput {
        upload.next(room: room)
    }

    /// `count` bytes came from the server.
    public mutating func receive(count: Int) throws(PerfError) {
        precondition(count >= 0, "a count of bytes")
        guard count > 0 else { return }
        guard upload.hasFinished else { throw .answeredEarly }
        guard UInt64(count) <= expected - downloaded else { throw .downloadTooLong(expected: expected) }
        downloaded += UInt64(count)
    }

    /// The server ended its side: the run is over, and was whole when this doesn't throw.
    public mutating func receiveEnd() throws(PerfError) {
        guard upload.hasFinished else { throw .answeredEarly }
        guard downloaded == expected else { throw .downloadTooShort(received: downloaded, expected: expected) }
    }
}
