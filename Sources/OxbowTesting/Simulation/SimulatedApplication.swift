import NIOCore
import NIOEmbedded
import OxbowCore
import OxbowNIO

/// One end of a stream with the application that uses it, as its script says: writes a pattern, checks each byte that
/// comes, and remembers how everything ended.
///
/// Isolation: the world's thread.
package final class SimulatedApplication: @unchecked Sendable {
    package let name: String
    let script: SimulationPlan.SideScript
    let logical: LogicalStream
    private let loopStream: LoopStream
    private unowned let run: SimulationRun
    private let number: Int
    /// Where its own pattern begins, and the peer's.
    private let salt: (own: Int, peers: Int)

    package private(set) var received = 0
    package private(set) var sent = 0
    package private(set) var end: SimulatedStream.End?
    package private(set) var endedAt: Duration?
    package private(set) var writeEndedAt: Duration?
    /// Whether its own write side ended as it should: behind every byte.
    package private(set) var hasClosed = false
    package private(set) var hasReset = false
    package private(set) var resetAt: Duration?
    package private(set) var hasFinished = false
    /// Where the first byte came that the peer did not write there.
    package private(set) var wrongByteAt: Int?
    package private(set) var mostHeld = 0
    private var backoff = Duration.milliseconds(2)
    private var isWriteScheduled = false

    init(
        _ name: String, number: Int, _ script: SimulationPlan.SideScript, _ logical: LogicalStream,
        in run: SimulationRun
    ) {
        (self.name, self.number, self.script, self.logical, self.run) = (name, number, script, logical, run)
        salt = (number * 7_919, (number ^ 1) * 7_919)
        loopStream = LoopStream(logical, on: run.world.loop)
    }

    /// Whether nothing more is to be expected of it.
    package var isOver: Bool { hasReset || hasFinished || (end != nil && writeEndedAt != nil) }

    /// Whether it can't use the stream any more in either direction.
    package var hasFailed: Bool {
        if case .failed? = end { true } else { hasReset || hasFinished }
    }

    package func start() {
        if run.plan.lie == .silentAcceptor, number % 2 == 1 { return }
        act(after: script.startsReading, "starts to read") { $0.startReading() }
        scheduleWrite(after: script.startsWriting)
        if let time = script.resets { act(after: time, "resets") { $0.reset() } }
        if let time = script.finishes { act(after: time, "is done with it") { $0.finish() } }
        if run.plan.lie == .secretReset, number % 2 == 0 {
            run.world.after(.milliseconds(40)) { [logical] in logical.reset(code: 9) }
        }
    }

    func noteHeld() {
        mostHeld = max(mostHeld, logical.heldBytes)
    }

    // MARK: Reading

    private func startReading() {
        loopStream.start(within: nil) { [self] event in
            switch event {
            case .bytes(let buffer): take(buffer)
            case .end: ended(.clean)
            case .failed(let error): ended(.failed(error))
            }
        }
    }

    private func take(_ buffer: ByteBuffer) {
        if wrongByteAt == nil, !Pattern.matches(buffer, from: salt.peers + received) {
            let expected = Pattern.bytes(from: salt.peers + received, count: buffer.readableBytes)
            let same = zip(expected.readableBytesView, buffer.readableBytesView).prefix { $0 == $1 }.count
            wrongByteAt = received + same
        }
        received += buffer.readableBytes
        run.note((2, number, buffer.readableBytes, received)) {
            "\(name) reads \(buffer.readableBytes) bytes, \(received) in all"
        }
        if script.readPause > .zero {
            loopStream.pause()
            run.world.after(script.readPause) { [loopStream] in loopStream.resume() }
        }
        if script.pace != .free { scheduleWrite(after: .zero) }
    }

    private func ended(_ how: SimulatedStream.End) {
        (end, endedAt) = (how, run.world.now)
        switch how {
        case .clean:
            run.note((3, number, 0, 0)) { "\(name) reads the clean end" }
            scheduleWrite(after: .zero)
        case .failed(let error):
            if writeEndedAt == nil { writeEndedAt = run.world.now }
            run.note((4, number, 0, 0)) { "\(name) fails: \(error)" }
        }
    }

    // MARK: Writing

    /// How many bytes the pace lets it have written by now.
    private var allowance: Int {
        switch script.pace {
        case .free: script.total
        case .requests(let size): min(script.total, size * (1 + received / size))
        case .responses(let size): min(script.total, received / size * size)
        }
    }

    /// Whether the peer has ended, so that what it owes will not come any more.
    private var isReadOver: Bool { end != nil }

    private func scheduleWrite(after delay: Duration) {
        guard !isWriteScheduled, writeEndedAt == nil else { return }
        isWriteScheduled = true
        run.world.after(delay) { [self] in
            isWriteScheduled = false
            writeNext()
        }
    }

    private func writeNext() {
        guard writeEndedAt == nil, !hasReset, !hasFinished else { return }
        guard sent < script.total else { return endWriting() }
        guard sent < allowance else {
            // A partner that has ended asks for nothing more.
            if isReadOver { endWriting() }
            return
        }
        let count = min(script.chunk, allowance - sent)
        var bytes = Pattern.bytes(from: salt.own + sent, count: count)
        if run.plan.lie == .alteredByte, number % 2 == 0, sent == 0 {
            bytes.setInteger((bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) ?? 0) ^ 1, at: bytes.readerIndex)
        }
        run.countEvent()
        switch logical.tryWrite(bytes) {
        case .written:
            sent += count
            backoff = .milliseconds(2)
            run.note((5, number, count, sent)) { "\(name) writes \(count) bytes, \(sent) in all" }
            scheduleWrite(after: script.step)
        case .full:
            scheduleWrite(after: backoff)
            backoff = min(backoff * 2, .milliseconds(500))
        case .failed:
            writeEndedAt = run.world.now
            run.note((6, number, 0, 0)) { "\(name) can't write any more" }
        }
    }

    private func endWriting() {
        guard writeEndedAt == nil else { return }
        writeEndedAt = run.world.now
        act(after: script.closesAfter, "ends its side") { application in
            guard !application.hasReset, !application.hasFinished else { return }
            application.hasClosed = true
            if application.run.plan.lie == .shortCount, application.number % 2 == 0 { application.sent += 1 }
            application.logical.closeWrite()
        }
    }

    private func reset() {
        hasReset = true
        resetAt = run.world.now
        let delay: Duration = run.plan.lie == .lateReset ? .seconds(5) : .zero
        guard delay > .zero else { return loopStream.reset(code: 7) }
        run.world.after(delay) { [loopStream] in loopStream.reset(code: 7) }
    }

    private func finish() {
        hasFinished = true
        hasClosed = hasClosed || !hasReset
        loopStream.finish()
    }

    private func act(after delay: Duration, _ what: String, _ body: @escaping (SimulatedApplication) -> Void) {
        let body = {
            self.run.countEvent()
            guard !self.isOver || what == "ends its side" else { return }
            self.run.note((7, self.number, what.utf8.count, 0)) { "\(self.name) \(what)" }
            body(self)
        }
        if delay == .zero { run.world.loop.execute(body) } else { run.world.after(delay, body) }
    }
}
