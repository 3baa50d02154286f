import Oxbow
import OxbowTesting
import Synchronization
import Testing

/// Storage in memory that a test looks into.
private final class RecordedStorage: PeerStorage {
    struct Failure: Error {}

    let peers: Mutex<[PeerID: StoredPeer]>
    let refusals: Mutex<Int>

    init(_ peers: [PeerID: StoredPeer] = [:], refusals: Int = 0) {
        self.peers = Mutex(peers)
        self.refusals = Mutex(refusals)
    }

    func load() async throws -> [StoredPeer] {
        peers.withLock { $0.values.sorted { $0.peer < $1.peer } }
    }

    func save(_ changed: [StoredPeer], forgetting forgotten: [PeerID]) async throws {
        let isRefused = refusals.withLock { count in
            defer { count = max(0, count - 1) }
            return count > 0
        }
        if isRefused { throw Failure() }
        peers.withLock { peers in
            for peer in changed { peers[peer.peer] = peer }
            for peer in forgotten { peers[peer] = nil }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct PeerStoreTests {
    private static func withListener(_ body: (Host, [Multiaddr]) async throws -> Void) async throws {
        try await withHost(identity: FixedKeys.all[1]) { right in
            right.handle(HostTests.echo) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
            }
            try await body(right, try await right.listen(on: Multiaddr("/memory/0")))
        }
    }

    @Test("A stream to a peer that isn't connected dials it where it is known to be")
    func opensStreams() async throws {
        try await Self.withListener { right, addresses in
            try await withHost(identity: FixedKeys.all[0]) { left in
                let error = await #expect(throws: DialError.self) {
                    _ = try await left.open(to: right.id, [HostTests.echo])
                }
                #expect(error?.reason == .noAddresses)
                left.peerStore.add(addresses, of: right.id)
                #expect(left.peerStore.addresses(of: right.id) == addresses)
                try await left.withStream(to: right.id, [HostTests.echo]) { stream in
                    try await stream.outbound.write([1, 2, 3])
                    #expect(try await stream.read(exactly: 3) == ByteBuffer(bytes: [1, 2, 3]))
                }
                let direct = try await left.connectDirectly(to: right.id)
                #expect(left.peer(right.id)?.connections == [direct])
                #expect(left.peerStore[right.id]?.isConnected == true)
                #expect(left.peerStore[right.id]?.record?.peer == right.id)
                left.peerStore.forget(right.id)
                #expect(left.peerStore.addresses(of: right.id) == [])
            }
        }
    }

    @Test("What was learned is there after a restart; what storage refused is given to it again")
    func persists() async throws {
        let storage = RecordedStorage(refusals: 1)
        var configuration = HostConfiguration()
        configuration.peerStorage = storage
        configuration.peerStorageInterval = .zero
        try await Self.withListener { right, addresses in
            try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
                try await left.connect(to: right.id, at: addresses)
                left.peerStore.add([try Multiaddr("/ip4/192.0.2.1/tcp/1")], of: FixedKeys.all[2].publicKey.peerID)
            }
            let kept = try #require(storage.peers.withLock { $0[right.id] })
            #expect(kept.record != nil && kept.protocols.contains(HostTests.echo))
            #expect(kept.addresses.allSatisfy { $0.lastSuccess != nil && $0.expires != nil })
            #expect(storage.peers.withLock { $0.count } == 2)
            try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
                #expect(left.peerStore[right.id]?.record?.peer == right.id)
                try await left.connect(to: right.id)
                left.peerStore.forget(FixedKeys.all[2].publicKey.peerID)
            }
            #expect(storage.peers.withLock { $0.keys.contains(right.id) && $0.count == 1 })
        }
    }

    @Test("A record that storage gives counts only with its signature (RUSTSEC-2022-0009)")
    func forgedStorage() async throws {
        let (victim, other) = (FixedKeys.all[3].publicKey.peerID, FixedKeys.all[4])
        let address = try Multiaddr("/ip4/192.0.2.1/tcp/1")
        let forged = try PeerRecord(peerID: other.publicKey.peerID, sequence: 1, addresses: [address.binary])
            .sealed(with: other).encoded()
        var stored = StoredPeer(
            peer: victim, addresses: [.init(address: address, origin: .given, expires: .max, lastSuccess: .max)])
        stored.record = forged
        var configuration = HostConfiguration()
        configuration.peerStorage = RecordedStorage([victim: stored])
        try await withHost(identity: FixedKeys.all[0], configuration: configuration) { host in
            let known = try #require(host.peerStore[victim])
            #expect(known.record == nil && known.addresses.map(\.address) == [address])
        }
    }

    @Test("A bootstrap address that names nobody is refused by its text")
    func bootstrapWithoutPeer() throws {
        var configuration = HostConfiguration()
        configuration.discovery.bootstrap = [try Multiaddr("/ip4/192.0.2.1/tcp/1")]
        let error = #expect(throws: HostError.self) {
            _ = try Host(identity: FixedKeys.all[0], configuration: configuration)
        }
        #expect("\(error!)".contains("put /p2p/ and the peer's id behind it"))
    }
}
