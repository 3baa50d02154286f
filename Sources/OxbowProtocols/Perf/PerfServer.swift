/// The server of `/perf/1.0.0`: counts the upload to its end, then gives as many bytes as were asked for.
public struct PerfServer: Sendable, Hashable {
    private enum State: Hashable {
        case header(have: [UInt8])
        case upload(requested: UInt64)
        case download(PerfSource)
    }

    private var state = State.header(have: [])
    /// How many bytes the client has uploaded, its header not counted.
    public private(set) var uploaded: UInt64 = 0
    private let maximumDownload: UInt64
    private let maximumUpload: UInt64

    /// - Parameters:
    ///   - maximumDownload: the most bytes that one client gets. The default is what the specification's timed
    ///     download asks for, which the client ends: it is paced by the client's reading and costs no memory.
    ///   - maximumUpload: the most bytes that are read from one client.
    public init(maximumDownload: UInt64 = .max, maximumUpload: UInt64 = .max) {
        self.maximumDownload = maximumDownload
        self.maximumUpload = maximumUpload
    }

    /// Reads all of `bytes`; behind the header they are counted, not looked at.
    public mutating func receive(_ bytes: some RandomAccessCollection<UInt8>) throws(PerfError) {
        var count = UInt64(bytes.count)
        switch state {
        case .header(var have):
            let taken = bytes.prefix(Perf.headerLength - have.count)
            have.append(contentsOf: taken)
            count -= UInt64(taken.count)
            state = .header(have: have)
            guard have.count == Perf.headerLength else { return }
            let requested = have.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard requested <= maximumDownload else {
                throw .downloadTooLarge(requested: requested, limit: maximumDownload)
            }
            state = .upload(requested: requested)
        case .upload:
            break
        case .download:
            preconditionFailure("no bytes come behind the end of the upload")
        }
        guard count <= maximumUpload - uploaded else { throw .uploadTooLarge(limit: maximumUpload) }
        uploaded += count
    }

    /// The client ended its side: from here ``next(room:)`` gives the download.
    public mutating func receiveEnd() throws(PerfError) {
        switch state {
        case .header: throw .truncatedHeader
        case .upload(let requested): state = .download(PerfSource(requested))
        case .download: preconditionFailure("the upload ends once")
        }
    }

    /// What to write now that `room` bytes can be queued.
    public mutating func next(room: Int) -> PerfOutput {
        guard case .download(var source) = state else { return .wait }
        defer { state = .download(source) }
        return source.next(room: room)
    }
}
