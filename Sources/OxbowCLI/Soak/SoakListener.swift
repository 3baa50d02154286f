import NIOCore
import Oxbow
import OxbowNIO
import Synchronization

/// The end of a soak that is dialled. It serves one soak of a peer at a time.
final class SoakListener: Sendable {
    /// What became of one soak.
    enum Outcome: Sendable {
        case done(SoakSideReport)
        case failed(any Error)
    }

    let outcomes: AsyncStream<Outcome>
    private let outcome: AsyncStream<Outcome>.Continuation
    private let host: OxbowHost
    private let memory: SoakMemory.Meter
    private let sessions = Mutex<[PeerID: SoakSession]>([:])

    init(_ host: OxbowHost, memory: @escaping SoakMemory.Meter = ResidentMemory.settled) {
        (self.host, self.memory) = (host, memory)
        (outcomes, outcome) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
    }

    func serve() {
        host.handle(Soak.control) { stream in
            do {
                let report = try await self.conduct(stream)
                self.outcome.yield(.done(report))
            } catch {
                // The stream ends in order: on it the dialer may still read why.
                self.outcome.yield(.failed(error))
            }
        }
        host.handle(Soak.slot) { stream in
            guard let session = self.session(of: stream.peer), let connection = stream.connection,
                var bytes = try await stream.read(exactly: 1), let slot: UInt8 = bytes.readInteger()
            else { return stream.reset() }
            session.setSlot(Int(slot), connection.id)
            try await stream.outbound.write([slot])
        }
        host.handle(Soak.data) { stream in
            var reader = SoakFrameReader()
            guard let session = self.session(of: stream.peer),
                let hello = try await stream.read(exactly: SoakFrame.helloLength)
            else { return stream.reset() }
            reader.append(hello)
            guard case .hello(let index)? = try reader.next() else { return stream.reset() }
            let soaked = SoakStream(index, stream, plan: session.plan, party: .listener)
            try session.add(soaked)
            await session.serve(soaked)
        }
    }

    private func session(of peer: PeerID) -> SoakSession? { sessions.withLock { $0[peer] } }

    /// One soak, from the dialer's plan to the report.
    private func conduct(_ control: OxbowStream) async throws -> SoakSideReport {
        var reader = SoakMessageReader(control)
        guard case .start(let plan)? = try await reader.next() else { throw SoakError.unexpectedMessage("no plan") }
        let session = SoakSession(plan, .listener, peer: control.peer, host: host)
        let refusal =
            plan.problem
            ?? sessions.withLock { sessions in
                if sessions[control.peer] != nil { return "a soak with this peer is running" }
                sessions[control.peer] = session
                return nil
            }
        if let refusal {
            try await Soak.send(.failed(refusal), on: control)
            throw SoakError.unexpectedMessage("a plan that can't be taken: \(refusal)")
        }
        defer { sessions.withLock { $0[control.peer] = nil } }
        do {
            try await Soak.send(.ready, on: control)
            return try await converse(reader, control, session)
        } catch {
            let why = "\(error)"
            if error is SoakError { try? await Soak.send(.failed(why), on: control) }
            for stream in session.streams { stream.stream.reset() }
            throw error
        }
    }

    private func converse(
        _ reader: SoakMessageReader, _ control: OxbowStream, _ session: SoakSession
    ) async throws -> SoakSideReport {
        try await withThrowingTaskGroup(of: SoakSideReport?.self) { group in
            group.addTask {
                for await error in session.troubles { throw error }
                return nil
            }
            group.addTask {
                await session.moveWhenDue()
                return nil
            }
            group.addTask {
                await session.writeAtPace()
                return nil
            }
            group.addTask { try await self.answer(reader, control, session) }
            defer { group.cancelAll() }
            while let report = try await group.next() {
                if let report { return report }
            }
            throw CancellationError()
        }
    }

    private func answer(
        _ reader: SoakMessageReader, _ control: OxbowStream, _ session: SoakSession
    ) async throws -> SoakSideReport {
        var reader = reader
        var measured = SoakMemory()
        var report: SoakSideReport?
        while let message = try await reader.next() {
            switch message {
            case .opened:
                _ = try await within(.seconds(60), "the arrival of the streams") {
                    try await session.opened.wait(for: session.plan.streams)
                }
                try await Soak.send(.opened, on: control)
            case .allow(let limit): session.allow(limit)
            case .measure:
                let bytes = try await memory()
                if measured.start == nil { measured.start = bytes } else { measured.end = bytes }
                try await Soak.send(.memory(bytes), on: control)
            case .watchGaps: session.watchGaps()
            case .finish:
                _ = try await within(.seconds(90), "the end of the streams", state: { session.outstanding }) {
                    try await session.ended.wait(for: session.plan.streams)
                }
                let left = await host.soakCensus(session.plan)
                var own = SoakSideReport(session, left: left, memory: measured)
                session.forgetStreams()
                own.memory.closed = try await memory()
                try await Soak.send(.report(own), on: control)
                report = own
            case .start, .ready, .memory, .report, .failed: throw SoakError.unexpectedMessage("\(message)")
            }
        }
        guard let report else { throw SoakError.peerVanished }
        return report
    }
}

extension OxbowHost {
    /// What is left besides the stream on which the ends talk, once nothing is or ten seconds later.
    func soakCensus(_ plan: SoakPlan) async -> SoakCensus {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            let left = SoakCensus(census, plan)
            guard !left.isZero, ContinuousClock.now < deadline, !Task.isCancelled else { return left }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits until nothing is alive, at most ten seconds.
    ///
    /// - Parameter relays: how many relays are used, to each of which a connection lasts.
    func soakIsOver(besides relays: Int = 0) async -> SwarmCensus {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            var left = census
            left.connections -= relays
            left.peers -= relays
            guard !left.isZero, ContinuousClock.now < deadline, !Task.isCancelled else { return left }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
