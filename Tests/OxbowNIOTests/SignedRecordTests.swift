import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowTesting
import Synchronization
import Testing

@testable import OxbowNIO

/// The signed record of a host's addresses, as its peers read it.
@Suite struct SignedRecordTests {
    private let world = SimulatedWorld()
    private let teller: SimulatedHost
    private let listener: SimulatedHost

    init() {
        (teller, listener) = (world.makeHost(), world.makeHost())
    }

    private func told() throws -> CertifiedAddresses {
        let info = listener.swarm.state.withLock { $0.peers[teller.id]?.state.withLock { $0.info } }
        return try #require(info?.certified)
    }

    @Test("It is signed once for as long as the addresses stay, and has a higher number behind each change")
    func sequence() throws {
        let addresses = try ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/2"].map { try Multiaddr($0) }
        teller.swarm.setAddresses([addresses[0]], of: .observed)
        var known: [CertifiedAddresses] = []
        for _ in 0..<2 {
            _ = world.connect(teller, listener, delay: .milliseconds(1))
            known.append(try told())
        }
        #expect(known[0].envelope == known[1].envelope && known[0].addresses == [addresses[0]])
        // The hosts' clock of seconds stands still here.
        teller.swarm.setAddresses(addresses, of: .observed)
        _ = world.connect(teller, listener, delay: .milliseconds(1))
        let later = try told()
        #expect(later.sequence > known[1].sequence && later.addresses == addresses)
    }

    @Test("A peer that comes again is not verified again, neither in the handshake nor by its record")
    func remembers() throws {
        _ = world.connect(teller, listener, delay: .milliseconds(1))
        let once = listener.swarm.verified.count
        #expect(once == 2, "its static key and its record")
        _ = world.connect(teller, listener, delay: .milliseconds(1))
        #expect(listener.swarm.verified.count == once)
    }

    @Test("The memory is bounded: the oldest is forgotten")
    func bounded() {
        let memory = VerifiedSignatures()
        let key = FixedKeys.all[0]
        for number in 0...VerifiedSignatures.limit {
            let message = [UInt8](String(number).utf8)
            guard let signature = try? key.sign(message) else { continue }
            #expect(key.publicKey.isValidSignature(signature, over: message, remembering: memory))
        }
        #expect(memory.count == VerifiedSignatures.limit)
    }
}
