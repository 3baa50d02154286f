import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO

/// Carries out one ``SimulationPlan`` on whole hosts, and finds what it violates.
///
/// Isolation: a run belongs to the thread that made it.
package final class SimulationRun: @unchecked Sendable {
    package let plan: SimulationPlan
    package let world = SimulatedWorld()
    private var hosts: [SimulatedHost] = []
    package private(set) var links: [SimulatedLink] = []
    /// Which host dialled each line.
    private var dialers: [Int] = []
    /// In pairs, the opener's side of a stream before the acceptor's; nil: the stream never got there.
    package private(set) var applications: [SimulatedApplication?] = []
    package private(set) var trace: SimulationTrace
    package internal(set) var counts = SimulationCounts()
    /// Deliveries and things that applications did, since the streams were opened: where a fault can strike.
    package private(set) var events = 0
    private var waitingFaults: [SimulationFault]
    private var beganAt = Duration.zero
    private var hasBegun = false
    /// When the network was last disturbed, or made whole.
    package private(set) var disturbedAt = Duration.zero

    package init(_ plan: SimulationPlan, keepsTrace: Bool = false) {
        self.plan = plan
        trace = SimulationTrace(keeps: keepsTrace)
        waitingFaults = plan.faults
        applications = Array(repeating: nil, count: plan.streams.count * 2)
    }

    /// Carries the plan out to the end of the world.
    ///
    /// - Returns: what was violated.
    package func execute() -> [SimulationViolation] {
        var violations: [SimulationViolation] = []
        connect()
        begin()
        let isOver = waitUntilOver()
        counts.longestWait = world.now - max(beganAt, disturbedAt)
        if !isOver { violations += hung() }
        violations += waitUntilQuiet()
        // A stream may have reached its acceptor only when the network was whole again.
        if isOver { _ = waitUntilOver() }
        violations += check()
        counts.virtualTime = world.now
        counts.events = events
        counts.mostHeld = applications.reduce(0) { max($0, $1?.mostHeld ?? 0) }
        violations += finish()
        return violations
    }

    // MARK: Building

    private func connect() {
        let usesTLS = plan.lines.contains { $0.security == .tls }
        for index in 0..<2 {
            let security: [ProtocolID] =
                !usesTLS ? ["/noise"] : index == 0 ? ["/noise", "/tls/1.0.0"] : ["/tls/1.0.0", "/noise"]
            let host = world.makeHost(security: security, labelStart: plan.seed &* 2_654_435_761 &+ UInt64(index)) {
                $0.muxer.maximumWindow = plan.maximumWindow
            }
            host.onEvent = { [unowned self] in happened($0, at: index) }
            hosts.append(host)
        }
        for (index, line) in plan.lines.enumerated() {
            // The dialer's first choice is what both take.
            let dialer = line.security == .tls ? 1 : usesTLS ? 0 : index % 2
            dialers.append(dialer)
            links.append(
                world.beginConnecting(
                    hosts[dialer], hosts[1 - dialer], there: LineConditions(delay: line.there.delay),
                    back: LineConditions(delay: line.back.delay)))
        }
        let slowest = plan.lines.map { max($0.there.delay, $0.back.delay) }.max()
        world.run(for: (slowest ?? .zero) * 20 + .milliseconds(10))
        // The handshakes' signatures have no fixed length: what depends on lengths and on chance begins behind them.
        for (index, link) in links.enumerated() {
            for (direction, line) in link.lines.enumerated() {
                let conditions = direction == 0 ? plan.lines[index].there : plan.lines[index].back
                line.change(to: conditions, seed: plan.seed &+ UInt64(2 * index + direction) &* 0x9E37_79B9_7F4A_7C15)
                line.onDelivery = { [unowned self] in willDeliver($0, on: index, direction) }
            }
        }
    }

    /// Opens the streams and winds everything up that has a time.
    private func begin() {
        beganAt = world.now
        hasBegun = true
        for (index, stream) in plan.streams.enumerated() {
            guard let name = ProtocolID("/simulation/\(index)") else { continue }
            let (opener, acceptor) = (hosts[stream.opener], hosts[1 - stream.opener])
            acceptor.swarm.setHandler(name) { [unowned self] logical, _ in
                add(logical, index * 2 + 1, "acceptor", stream.acceptorScript)
            }
            guard let peer = opener.swarm.peer(acceptor.id), peer.supportsMigration else { continue }
            let logical = opener.swarm.openStream(to: peer, for: [name], on: links[0].connection(of: opener))
            add(logical, index * 2, "opener", stream.openerScript)
        }
        for move in plan.moves { world.after(move.at) { [self] in perform(move) } }
        for fault in plan.faults {
            guard case .time(let time) = fault.moment else { continue }
            world.after(time) { [self] in inject(fault) }
        }
        if plan.lie == .secretMove, let stream = applications[0]?.logical {
            let host = hosts[plan.streams[0].opener]
            world.after(.milliseconds(60)) { [self] in
                host.swarm.migrate(stream, to: links[1].connection(of: host)) { _ in }
            }
        }
        if plan.lie == .secretCut { world.after(.milliseconds(60)) { [self] in links[0].near.cutHere() } }
    }

    private func add(_ logical: LogicalStream, _ number: Int, _ side: String, _ script: SimulationPlan.SideScript) {
        let name = (plan.streams.count > 1 ? "stream \(number / 2), " : "") + side
        let application = SimulatedApplication(name, number: number, script, logical, in: self)
        applications[number] = application
        note((1, number, 0, 0)) { "\(name) has its stream" }
        application.start()
    }

    // MARK: What happens

    func note(_ numbers: (Int, Int, Int, Int), _ text: () -> String) {
        trace.note(world.now - beganAt, numbers, text())
    }

    /// Something happens now, before which a fault may strike.
    func countEvent() {
        guard hasBegun else { return }
        strike()
        events += 1
    }

    private func strike() {
        guard let index = waitingFaults.firstIndex(where: { $0.moment == .event(events) }) else { return }
        inject(waitingFaults.remove(at: index))
    }

    private func willDeliver(_ count: Int, on link: Int, _ direction: Int) {
        guard hasBegun else { return }
        for application in applications { application?.noteHeld() }
        countEvent()
        note((8, link, direction, count)) {
            "line \(link) \(direction == 0 ? "delivers to its listener" : "delivers to its dialer") \(count) bytes"
        }
    }

    private func happened(_ event: SwarmEvent, at host: Int) {
        guard hasBegun else { return }
        switch event {
        case .streamMigrated(_, _, let record):
            counts.migrations += 1
            note((9, host, record.role == .initiator ? 1 : 0, 0)) {
                "host \(host) has moved the stream as \(record.role), from \(record.fromID) to \(record.toID)"
            }
            prune(record, at: host)
        case .streamNotMigrated(_, _, let record):
            note((10, host, record.outcome == .denied ? 1 : 0, record.role == .initiator ? 1 : 0)) {
                "host \(host): an attempt as \(record.role) ended: \(record.outcome)"
            }
        case .connectionClosed(_, let path, let error):
            let line = links.firstIndex { $0.connection(of: hosts[host]).id == path.id } ?? -1
            note((11, host, line, 0)) { "host \(host) has lost line \(line): \(error)" }
        // What is told of hosts is not about the stream.
        default:
            break
        }
    }

    private func perform(_ move: SimulationPlan.Move) {
        let number = move.stream * 2 + move.side.rawValue
        guard let application = applications[number], !application.hasFailed else { return }
        countEvent()
        let opener = plan.streams[move.stream].opener
        let host = hosts[move.side == .opener ? opener : 1 - opener]
        counts.asked += 1
        note((12, number, move.line, 0)) { "\(application.name) asks to move to line \(move.line)" }
        host.swarm.migrate(application.logical, to: links[move.line].connection(of: host)) { [self] result in
            counts.count(result)
            guard case .failure(let error) = result else { return }
            note((13, number, 0, 0)) { "\(application.name) was not moved: \(error)" }
        }
    }

    // MARK: Pruning

    private func prune(_ record: MigrationRecord, at host: Int) {
        guard plan.pruning != .none, plan.streams.count == 1, let old = record.from?.id, old != record.to?.id,
            let link = links.first(where: { $0.connection(of: hosts[host]).id == old })
        else { return }
        let connection = link.connection(of: hosts[host])
        switch (plan.pruning, record.role) {
        case (.byInitiator, .initiator), (.byResponder, .responder):
            note((14, host, 0, 0)) { "host \(host) closes the connection that the stream has left" }
            connection.close()
            counts.pruned += 1
        case (.abruptly, .initiator):
            pruneAbruptly(connection, host, tries: 400)
        default:
            break
        }
    }

    private func pruneAbruptly(_ connection: ConnectionDriver, _ host: Int, tries: Int) {
        let side = plan.streams[0].opener == host ? 0 : 1
        guard tries > 0, let application = applications[side], !application.hasFailed else { return }
        guard application.logical.mayCloseSourceAbruptly else {
            return world.after(.milliseconds(1)) { [self] in pruneAbruptly(connection, host, tries: tries - 1) }
        }
        // It must be the one that is left, not one that a second migration has led back to.
        guard application.logical.snapshot.path?.id != connection.id else { return }
        note((15, host, 0, 0)) { "host \(host) closes the connection that the stream has left, abruptly" }
        connection.close(abruptly: true)
        counts.pruned += 1
    }

    // MARK: Faults

    private func inject(_ fault: SimulationFault) {
        counts.faults += 1
        disturbedAt = world.now
        note((16, fault.line, SimulationFault.Kind.allCases.firstIndex(of: fault.kind) ?? 0, 0)) { "FAULT: \(fault)" }
        let link = links[fault.line]
        let (there, back) = (link.lines[0], link.lines[1])
        switch fault.kind {
        case .cut: link.cut()
        case .resetDialer, .resetListener:
            for line in link.lines { line.breakOff() }
            (fault.kind == .resetDialer ? link.near : link.far).cutHere()
        case .pause, .stall: link.stall()
        case .deafListener: there.stall()
        case .deafDialer: back.stall()
        case .vanish: for line in link.lines { line.lose() }
        case .corruptThere: there.corrupt()
        case .corruptBack: back.corrupt()
        case .closeDialer, .closeListener:
            let dialer = dialers[fault.line]
            link.connection(of: hosts[fault.kind == .closeDialer ? dialer : 1 - dialer]).close()
        }
        guard let after = fault.kind.healsAfter else { return }
        world.after(after) { [self] in
            disturbedAt = world.now
            note((17, fault.line, 0, 0)) { "line \(fault.line) is whole again" }
            link.heal()
        }
    }

    // MARK: The end

    /// How long everything may take when nothing is disturbed: the scripts are shorter.
    static let calmLimit = Duration.seconds(60)
    /// The sum of the waits of SM-F8, of the multiplexer's proof of life, of a close in order and of the longest pause.
    static let disturbedLimit: Duration = {
        let (answer, handOff, end, linger, proofOfLife, close) = (60, 30, 30, 30, 40, 5)
        return .seconds(answer + handOff + end + linger + proofOfLife + close)
    }()

    private var isOver: Bool { applications.allSatisfy { $0?.isOver ?? true } }

    private func waitUntilOver() -> Bool {
        let step = Duration.milliseconds(50)
        while true {
            if isOver { return true }
            let limit = max(beganAt + Self.calmLimit, disturbedAt + Self.calmLimit + Self.disturbedLimit)
            guard world.now < limit else { return false }
            world.run(for: step)
        }
    }

    /// Everything is over: now every leg, row and timer has to go, while the connections that are left stay.
    private func waitUntilQuiet() -> [SimulationViolation] {
        for link in links { link.heal() }
        let limit = world.now + .seconds(420)
        while !isQuiet, world.now < limit { world.run(for: .milliseconds(500)) }
        guard !isQuiet else { return [] }
        let streams = links.map(\.underlyingStreams)
        return hosts.enumerated().map { index, host in
            SimulationViolation(.p7, "host \(index) keeps \(host.swarm.census); underlying streams by line: \(streams)")
        }
    }

    private var isQuiet: Bool {
        let isEmpty = hosts.allSatisfy { host in
            var census = host.swarm.census
            (census.connections, census.peers) = (0, 0)
            return census.isZero
        }
        return isEmpty && links.allSatisfy { $0.underlyingStreams == 0 }
    }

    /// Closes the hosts: nothing may be left of them, neither in their tables nor in memory.
    private func finish() -> [SimulationViolation] {
        var violations: [SimulationViolation] = []
        weak var leaked: LogicalStream?
        var watches: [SimulationWatch] = applications.compactMap { $0 }.map { SimulationWatch($0.name, $0.logical) }
        watches += hosts.enumerated().map { SimulationWatch("host \($0.offset)", $0.element.swarm) }
        for (index, link) in links.enumerated() {
            watches += link.ends.values.map { SimulationWatch("line \(index)", $0) }
        }
        if plan.lie == .keptStream { leaked = applications[0]?.logical }
        let kept = leaked
        for (index, census) in world.end().enumerated() where !census.isZero {
            violations.append(SimulationViolation(.p7, "host \(index), closed, keeps \(census)"))
        }
        applications = []
        links = []
        hosts = []
        world.forget()
        for watch in watches where watch.isAlive {
            violations.append(SimulationViolation(.p7, "something still refers to \(watch.name) when all is over"))
        }
        withExtendedLifetime(kept) {}
        return violations
    }
}

/// Sees whether an object is alive without keeping it so.
private struct SimulationWatch {
    let name: String
    private weak var object: AnyObject?

    init(_ name: String, _ object: AnyObject) {
        (self.name, self.object) = (name, object)
    }

    var isAlive: Bool { object != nil }
}
