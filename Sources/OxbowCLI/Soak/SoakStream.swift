import NIOCore
import Oxbow
import OxbowCrypto
import OxbowNIO
import Synchronization

/// One stream of a soak at one end: what it has sent, and the judge of what it receives.
final class SoakStream: Sendable {
    let index: Int
    let stream: OxbowStream
    private let plan: SoakPlan
    private let party: SoakParty
    private let sending: Mutex<Sending>
    private let arrived = Mutex(Arrived())

    private struct Sending: ~Copyable {
        var pattern: PatternGenerator
        var digest = SHA256Stream()
        var count: UInt64 = 0
        var isEnded = false
    }

    private struct Arrived {
        var bytes: UInt64 = 0
        var last = ContinuousClock.now
        var longestGap = Duration.zero
    }

    init(_ index: Int, _ stream: OxbowStream, plan: SoakPlan, party: SoakParty) {
        (self.index, self.stream, self.plan, self.party) = (index, stream, plan, party)
        sending = Mutex(Sending(pattern: plan.pattern(stream: index, from: party)))
    }

    var bytesSent: UInt64 { sending.withLock { $0.count } }
    var bytesReceived: UInt64 { arrived.withLock { $0.bytes } }
    /// The longest time in which nothing came since ``watchGaps()``: the one that lasts counts too.
    var longestGap: Duration { arrived.withLock { max($0.longestGap, $0.last.duration(to: .now)) } }

    /// Forgets the gaps up to now.
    func watchGaps() {
        arrived.withLock { ($0.last, $0.longestGap) = (.now, .zero) }
    }

    // MARK: Sending

    /// Writes the next bytes of the pattern, if there is room. A stream that has failed is its reader's business.
    ///
    /// - Returns: whether they were written.
    @discardableResult
    func sendPortion() -> Bool {
        sending.withLock { sending in
            guard !sending.isEnded else { return false }
            var pattern = sending.pattern
            let bytes = pattern.next(plan.bytes)
            guard let isWritten = try? stream.outbound.tryWrite(SoakFrame.data(bytes).encoded), isWritten
            else { return false }
            sending.pattern = pattern
            sending.digest.update(bytes.readableBytesView)
            sending.count += UInt64(bytes.readableBytes)
            return true
        }
    }

    /// Tells the other end that it has the next turn.
    func sendMoved(_ number: Int) async throws(StreamError) {
        try await stream.outbound.write(SoakFrame.moved(number).encoded)
    }

    /// Tells all that was sent, and ends this end's side.
    func end() async throws(StreamError) {
        let frame = sending.withLock { sending -> SoakFrame? in
            guard !sending.isEnded else { return nil }
            sending.isEnded = true
            return .end(bytes: sending.count, digest: sending.digest.digest())
        }
        guard let frame else { return }
        try await stream.outbound.write(frame.encoded)
        stream.outbound.finish()
    }

    // MARK: Receiving

    /// Reads to the clean end and compares each byte with what must come.
    func receive(onMoved: (Int) throws -> Void) async throws {
        var reader = SoakFrameReader()
        var pattern = plan.pattern(stream: index, from: party == .dialer ? .listener : .dialer)
        var digest = SHA256Stream()
        var count: UInt64 = 0
        var end: (bytes: UInt64, digest: [UInt8])?
        for try await bytes in stream.inbound {
            reader.append(bytes)
            while let frame = try reader.next() {
                guard end == nil else { throw SoakError.unexpectedFrame(stream: index, "a frame behind the end") }
                switch frame {
                case .data(let bytes):
                    guard bytes == pattern.next(bytes.readableBytes) else {
                        throw SoakError.wrongBytes(stream: index, offset: count)
                    }
                    digest.update(bytes.readableBytesView)
                    count += UInt64(bytes.readableBytes)
                    let now = ContinuousClock.now
                    arrived.withLock { arrived in
                        arrived.longestGap = max(arrived.longestGap, arrived.last.duration(to: now))
                        (arrived.bytes, arrived.last) = (count, now)
                    }
                case .moved(let number): try onMoved(number)
                case .end(let bytes, let sum): end = (bytes, sum)
                case .hello: throw SoakError.unexpectedFrame(stream: index, "a second greeting")
                }
            }
        }
        guard let end, reader.isEmpty else { throw SoakError.truncated(stream: index, offset: count) }
        guard end.bytes == count, end.digest == digest.digest() else {
            throw SoakError.wrongTotals(stream: index, sent: end.bytes, received: count)
        }
    }
}
