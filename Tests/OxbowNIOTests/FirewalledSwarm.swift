#if os(Linux)
import Glibc
import NIOCore
import NIOPosix
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowTesting
import OxbowUpgrade
import Synchronization

@testable import OxbowNIO

/// A swarm on real sockets that listens on loopback behind a firewall: the kernel drops the SYNs that reach its listener,
/// all or those that come from one port, as a NAT drops what answers to nothing. SYNs that meet a socket which is
/// connecting to their sender pass: that is TCP's simultaneous open.
final class FirewalledSwarm: Sendable {
    let swarm: Swarm
    let id: PeerID
    let address: Multiaddr
    let port: UInt16
    private let listener: any Channel
    private let log: EventLog

    init(
        _ key: Int, group: MultiThreadedEventLoopGroup, memory: MemoryNetwork = MemoryNetwork(),
        _ configure: (inout SwarmConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = SwarmConfiguration()
        configure(&configuration)
        let upgrade = try UpgradeConfiguration(identity: FixedKeys.all[key])
        let log = EventLog()
        let swarm = Swarm(
            upgrade: upgrade, configuration: configuration,
            transports: SwarmTransports(group: group, memory: memory), unixTime: { 1_800_000_000 },
            eventSink: { log.add($0) })
        swarm.registerServices()
        (self.swarm, self.log) = (swarm, log)
        id = FixedKeys.all[key].publicKey.peerID
        listener = try await swarm.transports.tcp.listen(
            on: TCPEndpoint(host: .ip4(IPv4Address(bits: 0x7f00_0001)), port: 0)
        ) { handler, channel in
            let path = swarm.newPath(
                .listener, local: Multiaddr(channel.localAddress), remote: Multiaddr(channel.remoteAddress))
            guard let connection = swarm.adopt(handler, path: path, expectedPeer: nil, completion: nil) else { return }
            connection.start()
            handler.start(delegate: connection)
        }.get()
        guard let address = Multiaddr(listener.localAddress), let port = address.tcpEndpoint?.port else {
            throw NoListeningPort()
        }
        (self.address, self.port) = (address, port)
    }

    /// Drops every SYN to the listener, or those from `port`.
    func drop(from port: UInt16? = nil) async throws {
        let drop = FilterInstruction(code: 0x06, k: 0)
        // Load the source port, compare, return: all or nothing (linux/filter.h).
        let program =
            port.map {
                [
                    FilterInstruction(code: 0x28, k: 0),
                    FilterInstruction(code: 0x15, jt: 0, jf: 1, k: UInt32($0)),
                    drop, FilterInstruction(code: 0x06, k: 0xffff),
                ]
            } ?? [drop]
        guard let options = listener as? any SocketOptionProvider else { throw NoListeningPort() }
        let instructions = UnsafeMutablePointer<FilterInstruction>.allocate(capacity: program.count)
        instructions.initialize(from: program, count: program.count)
        defer { instructions.deallocate() }
        try await options.unsafeSetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_ATTACH_FILTER),
            value: FilterProgram(count: UInt16(program.count), instructions: instructions)
        ).get()
    }

    var punches: [HolePunchRecord] { log.punches }

    /// Waits for the next event after which `condition` holds.
    func wait(until condition: @escaping @Sendable (FirewalledSwarm) -> Bool) async {
        for await _ in log.changes() where condition(self) { return }
    }

    /// Dials as one of both sides that dial.
    func dial(_ other: FirewalledSwarm, _ options: DialOptions) async -> Result<ConnectionDriver, DialFailure> {
        await withCheckedContinuation { continuation in
            swarm.connect(other.address, other.id, DialTicket(), options: options) {
                continuation.resume(returning: $0)
            }
        }
    }

    func close() async throws {
        await withCheckedContinuation { continuation in swarm.close { continuation.resume() } }
        try await listener.close()
    }
}

/// The events of a swarm, and a wake-up for each.
private final class EventLog: Sendable {
    private let state = Mutex<(events: [SwarmEvent], waiters: [AsyncStream<Void>.Continuation])>(([], []))

    /// Read under the lock: ThreadSanitizer doesn't see that a copy of the array was let go of before it grows in place.
    var punches: [HolePunchRecord] {
        state.withLock { state in
            state.events.compactMap { if case .holePunchEnded(_, let record) = $0 { record } else { nil } }
        }
    }

    func add(_ event: SwarmEvent) {
        let waiters = state.withLock { state in
            state.events.append(event)
            return state.waiters
        }
        for waiter in waiters { waiter.yield() }
    }

    /// One element at once, then one for each event.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        state.withLock { $0.waiters.append(continuation) }
        continuation.yield()
        return stream
    }
}

/// `struct sock_filter`.
private struct FilterInstruction {
    var code: UInt16
    var jt: UInt8 = 0
    var jf: UInt8 = 0
    var k: UInt32
}

/// `struct sock_fprog`. Isolation: the kernel copies it before its owner frees it.
private struct FilterProgram: @unchecked Sendable {
    var count: UInt16
    var instructions: UnsafeMutablePointer<FilterInstruction>
}
#endif
