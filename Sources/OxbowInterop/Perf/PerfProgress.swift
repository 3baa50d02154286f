import Oxbow
import OxbowCommandLine
import OxbowProtocols

/// Counts what a run of `/perf/1.0.0` has carried so far, and tells it in the form of the older perf tests: an
/// intermediary report counts what came since the one before, the final report everything.
struct PerfProgress: Sendable {
    private let began: ContinuousClock.Instant
    private var last: ContinuousClock.Instant
    private var uploaded: UInt64 = 0
    private var downloaded: UInt64 = 0

    init(at time: ContinuousClock.Instant) {
        (began, last) = (time, time)
    }

    /// - Parameters:
    ///   - uploaded: all bytes so far, without the request.
    ///   - downloaded: likewise.
    mutating func intermediary(uploaded: UInt64, downloaded: UInt64, at time: ContinuousClock.Instant) -> JSON {
        defer { (last, self.uploaded, self.downloaded) = (time, uploaded, downloaded) }
        return Self.report(
            "intermediary", time - last, uploaded - min(uploaded, self.uploaded),
            downloaded - min(downloaded, self.downloaded))
    }

    func final(uploaded: UInt64, downloaded: UInt64, at time: ContinuousClock.Instant) -> JSON {
        Self.report("final", time - began, uploaded, downloaded)
    }

    private static func report(_ type: String, _ time: Duration, _ uploaded: UInt64, _ downloaded: UInt64) -> JSON {
        .object([
            ("type", .string(type)), ("timeSeconds", .double(time.seconds)), ("uploadBytes", .uint(uploaded)),
            ("downloadBytes", .uint(downloaded)),
        ])
    }
}

extension Peer {
    /// Bytes of `/perf/1.0.0` that have gone up and come down on the streams that live, without the request's own.
    var perfBytes: (uploaded: UInt64, downloaded: UInt64)? {
        guard let stream = streams.first(where: { $0.protocolID == Perf.protocolID }) else { return nil }
        let written = stream.bytesWritten
        return (written - min(written, 8), stream.bytesRead)
    }
}
