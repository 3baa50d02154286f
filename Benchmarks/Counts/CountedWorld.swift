import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowSwarm
import OxbowTesting

/// Two whole hosts on one event loop whose time stands still: all of the code from the application's write to the other
/// application's read but for sockets, and the same instructions in each run.
///
/// Isolation: a world belongs to the thread that made it, with its streams; that is what makes both `@unchecked Sendable`.
final class CountedWorld: @unchecked Sendable {
    static let served: ProtocolID = "/oxbow-counts/served"

    let world = SimulatedWorld()
    let dialer: SimulatedHost
    let listener: SimulatedHost
    private(set) var links: [SimulatedLink] = []
    /// Streams that the listener has, in the order in which they came, as long as ``keepsAccepted``.
    private(set) var accepted: [CountedStream] = []
    var keepsAccepted = true
    fileprivate let life = Life()

    /// - Parameters:
    ///   - isEchoing: whether the listener sends back what comes; otherwise it counts.
    init(security: ProtocolID = "/noise", isEchoing: Bool = false) throws {
        func configure(_ configuration: inout SwarmConfiguration) {
            configuration.limits.resources = .unlimited
            configuration.muxer.maximumInboundStreams = 20_000
            configuration.muxer.maximumOutboundStreams = 20_000
            configuration.migration.maximumStreams = 40_000
            configuration.migration.maximumConcurrent = 1_000
        }
        dialer = world.makeHost(security: [security], configure)
        listener = world.makeHost(security: [security], configure)
        listener.swarm.setHandler(Self.served) { [unowned self] stream, _ in
            let served = CountedStream(stream, in: self, isEchoing: isEchoing)
            if keepsAccepted { accepted.append(served) }
        }
        try connect()
    }

    /// The simulated world closes its hosts when it goes, which is when this one is gone.
    deinit { life.hasEnded = true }

    func connect() throws {
        let link = world.connect(dialer, listener)
        guard case .success? = link.result else {
            throw ScenarioFailure("the hosts don't connect: \(link.result, default: "no result")")
        }
        links.append(link)
    }

    /// Opens a stream; its negotiation goes out with the first bytes.
    func open(isMigratable: Bool = true) -> CountedStream {
        guard let peer = dialer.swarm.peer(listener.id), let link = links.first else {
            preconditionFailure("the hosts are not connected")
        }
        let stream = dialer.swarm.openStream(
            to: peer, for: [Self.served], on: link.connection(of: dialer), isMigratable: isMigratable)
        return CountedStream(stream, in: self, isEchoing: false)
    }

    func run() {
        world.run()
    }
}

private final class Life {
    var hasEnded = false
}

/// A stream that counts what comes, and perhaps sends it back. It ends with its peer.
final class CountedStream: @unchecked Sendable {
    let logical: LogicalStream
    private let loopStream: LoopStream
    private(set) var received = 0
    private(set) var isOver = false

    init(_ logical: LogicalStream, in world: CountedWorld, isEchoing: Bool) {
        self.logical = logical
        loopStream = LoopStream(logical, on: world.world.loop)
        loopStream.start(within: nil) { [self, life = world.life] event in
            switch event {
            case .bytes(let buffer):
                received += buffer.readableBytes
                if isEchoing { require(write(buffer), "an echo has room") }
            case .end:
                logical.closeWrite()
                isOver = true
            case .failed(let error):
                require(life.hasEnded, "a stream lives: \(error)")
            }
        }
    }

    /// - Returns: false when there is no room.
    func write(_ buffer: ByteBuffer) -> Bool {
        switch logical.tryWrite(buffer) {
        case .written: return true
        case .full: return false
        case .failed(let error):
            require(false, "a stream can be written: \(error)")
            return false
        }
    }
}
