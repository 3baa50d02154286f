import OxbowCore
import OxbowCrypto
import OxbowSwarm
import OxbowTesting
import Synchronization
import Testing

@testable import OxbowNIO

/// Dials as whole hosts make them, on virtual time.
@Suite struct DialingTests {
    /// What came of a dial.
    private final class Outcome: Sendable {
        private let all = Mutex<[Result<ConnectionDriver, DialError>]>([])
        var results: [Result<ConnectionDriver, DialError>] { all.withLock { $0 } }
        var error: DialError? {
            guard case .failure(let error)? = results.first else { return nil }
            return error
        }
        var connection: ConnectionDriver? { try? results.first?.get() }

        func take(_ result: Result<ConnectionDriver, DialError>) {
            all.withLock { $0.append(result) }
        }
    }

    private func dial(_ host: SimulatedHost, _ request: PeerDialRequest, _ call: DialCall = DialCall()) -> Outcome {
        let outcome = Outcome()
        host.swarm.dial(request, call) { outcome.take($0) }
        return outcome
    }

    private func memory(_ number: UInt64) throws -> Multiaddr { try Multiaddr("/memory/\(number)") }

    @Test("A peer is dialled by its id alone, at what was learned of it before")
    func byID() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.listen()
        let unknown = dial(left, PeerDialRequest(right.id))
        #expect(unknown.error?.reason == .noAddresses)
        let first = dial(left, PeerDialRequest(right.id, at: [right.address]))
        world.expect { first.connection != nil && left.swarm.peer(right.id)?.info != nil }
        first.connection?.close()
        world.expect { left.swarm.peer(right.id) == nil }
        #expect(left.swarm.peerBook.peer(right.id)?.addresses.first?.origin == .dialled)
        let again = dial(left, PeerDialRequest(right.id))
        world.expect { again.connection != nil }
        // identify told right's listen address, and left's to right: right can dial back only where left listens.
        #expect(right.swarm.peerBook.peer(left.id)?.addresses == [])
        #expect(right.swarm.peerBook.peer(left.id)?.description.publicKey == left.identity.publicKey.protobuf)
        world.expectNothingLeft()
    }

    @Test("The address that failed is passed over for a while; the peer, when nothing else is known")
    func backsOff() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        let dead = try memory(777)
        left.swarm.peerBook.add([dead], of: right.id, origin: .configuration)
        let first = dial(left, PeerDialRequest(right.id))
        world.expect { first.error != nil }
        #expect(first.error?.reason == .allFailed)
        #expect(first.error?.attempts.map(\.failure) == [.unreachable("nobody listens there")])
        let second = dial(left, PeerDialRequest(right.id))
        #expect(second.error?.reason == .backingOff(.seconds(5)))
        #expect("\(second.error!)".contains("try again in 5 s, or give its addresses to dial now"))
        right.listen()
        let named = dial(left, PeerDialRequest(right.id, at: [right.address]))
        world.expect { named.connection != nil }
        named.connection?.close()
        world.expect { left.swarm.peer(right.id) == nil }
        let third = dial(left, PeerDialRequest(right.id))
        world.expect { third.connection != nil }
        world.expectNothingLeft()
    }

    @Test("Callers share a dial, each may leave, and the last one ends it")
    func shares() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.listen()
        world.dialDelay = .milliseconds(50)
        let (leaving, staying) = (DialCall(), DialCall())
        let first = dial(left, PeerDialRequest(right.id, at: [right.address]), leaving)
        let second = dial(left, PeerDialRequest(right.id, at: [right.address]), staying)
        world.run(for: .milliseconds(10))
        #expect(left.swarm.census.dials == 1)
        leaving.cancel()
        world.run()
        #expect(first.error?.reason == .cancelled && second.results.isEmpty)
        world.expect { second.connection != nil }
        #expect(left.swarm.census.connections == 1 && left.swarm.census.dials == 0)
        staying.cancel()
        world.run()
        #expect(first.results.count == 1 && second.results.count == 1)
        second.connection?.close()
        world.expect { left.swarm.census.connections == 0 }
        let alone = DialCall()
        let third = dial(left, PeerDialRequest(right.id, at: [right.address]), alone)
        world.run(for: .milliseconds(60))
        alone.cancel()
        world.run(for: .milliseconds(200))
        #expect(third.error?.reason == .cancelled)
        #expect(left.swarm.census.isZero)
        world.expectNothingLeft()
    }

    @Test("Whoever joins a dial brings its own addresses along")
    func joinsWithAddresses() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.listen()
        world.dialDelay = .milliseconds(50)
        // Nobody answers there: a peer of the same kind, but another one.
        let other = world.makeHost()
        other.listen()
        let first = dial(left, PeerDialRequest(right.id, at: [other.address]))
        world.run(for: .milliseconds(10))
        let second = dial(left, PeerDialRequest(right.id, at: [right.address]))
        world.expect { first.connection != nil && second.connection != nil }
        #expect(first.connection === second.connection)
        world.expectNothingLeft()
    }

    @Test("A dial that a call gave up before it began ends at once")
    func cancelledBefore() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.listen()
        let call = DialCall()
        call.cancel()
        let outcome = dial(left, PeerDialRequest(right.id, at: [right.address]), call)
        world.run()
        #expect(outcome.error?.reason == .cancelled)
        world.expectNothingLeft()
    }

    @Test("A dial that ends before its caller has registered keeps nothing of the swarm")
    func endsEarly() {
        final class Kept: Sendable {}
        weak var kept: Kept?
        let call = DialCall()
        do {
            let object = Kept()
            kept = object
            call.ended()
            call.joined { _ = object }
        }
        #expect(kept == nil)
    }

    @Test("The second address starts 250 ms behind the first, and the later winner is one too many")
    func races() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.listen()
        world.dialDelay = .milliseconds(200)
        let second = try right.swarm.listen(inMemory: 55)
        let outcome = dial(left, PeerDialRequest(right.id, at: [right.address] + second.addresses))
        world.run(for: .milliseconds(249))
        #expect(left.swarm.census.connections == 1)
        world.run(for: .milliseconds(1))
        #expect(left.swarm.census.connections == 2)
        world.expect { outcome.connection != nil }
        world.run(for: .seconds(2))
        #expect(left.swarm.census.connections == 1 && right.swarm.census.connections == 1)
        world.expectNothingLeft()
    }

    @Test("A dial for a direct connection leaves relays out, and its failure holds up no other dial")
    func direct() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        let relayed = try Multiaddr("/memory/9/p2p/\(left.id)/p2p-circuit")
        left.swarm.peerBook.add([relayed, try memory(778)], of: right.id, origin: .configuration)
        let outcome = dial(left, PeerDialRequest(right.id, goal: .direct))
        world.expect { outcome.error != nil }
        #expect(
            outcome.error?.attempts.map(\.failure) == [
                .unreachable("nobody listens there"),
                .notTried("a direct connection is wanted, and a relay is on the way"),
            ])
        right.listen()
        left.swarm.peerBook.add([right.address], of: right.id, origin: .given)
        let any = dial(left, PeerDialRequest(right.id))
        world.expect { any.connection != nil }
        world.expectNothingLeft()
    }

    @Test("A swarm that closes ends its dials; as many run as may")
    func closes() throws {
        let world = SimulatedWorld()
        let left = world.makeHost { $0.limits.dials = 1 }
        let (right, other) = (world.makeHost(), world.makeHost())
        right.listen()
        world.dialDelay = .seconds(3)
        let outcome = dial(left, PeerDialRequest(right.id, at: [right.address]))
        let refused = dial(left, PeerDialRequest(other.id, at: [right.address]))
        #expect(refused.error?.reason == .tooManyDials(limit: 1))
        world.run(for: .milliseconds(10))
        world.expectNothingLeft()
        #expect(outcome.error?.reason == .closed)
        #expect(dial(left, PeerDialRequest(right.id, at: [right.address])).error?.reason == .closed)
    }

    @Test("A bootstrap peer is connected to at the start, and again whenever it is gone, with back-off")
    func bootstraps() throws {
        let world = SimulatedWorld()
        let right = world.makeHost()
        let address = try right.address.appending(peer: right.id)
        let left = world.makeHost { $0.discovery.bootstrap = [address] }
        left.swarm.start()
        world.run(for: .seconds(4))
        #expect(left.swarm.census.connections == 0 && left.swarm.census.dials == 0)
        right.listen()
        world.run(for: .seconds(1.5))
        #expect(left.swarm.peer(right.id) != nil, "the second try comes 5 s behind the first")
        for _ in 0..<3 {
            right.swarm.peer(left.id)?.usableConnections.first?.close()
            world.expect { left.swarm.peer(right.id) == nil }
            world.expect { left.swarm.peer(right.id) != nil }
        }
        #expect(left.swarm.peerBook.peer(right.id)?.addresses.first?.origin == .configuration)
        world.expectNothingLeft()
    }
}
