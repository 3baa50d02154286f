import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire
import Testing

private func identification(of key: PublicKey) throws -> IdentifyMessage {
    var message = IdentifyMessage()
    message.publicKey = key.protobuf
    message.listenAddresses = [try Multiaddr("/ip4/192.0.2.1/tcp/4001").binary]
    message.protocols = ["/ipfs/id/1.0.0", "/chat/1.0.0"]
    message.observedAddress = try Multiaddr("/ip4/198.51.100.7/tcp/50000").binary
    message.protocolVersion = Identify.protocolVersion
    message.agentVersion = Identify.agentVersion
    return message
}

@Suite struct IdentifyInfoTests {
    private let key: PublicKey
    private let other: PublicKey

    init() throws {
        key = try PrivateKey.generate(.ed25519).publicKey
        other = try PrivateKey.generate(.ed25519).publicKey
    }

    @Test func tellsWhatThePeerSaid() throws {
        let info = try IdentifyInfo(identification(of: key), authenticatedWith: key)
        #expect(info.peer == key.peerID)
        #expect(info.listenAddresses.map(\.description) == ["/ip4/192.0.2.1/tcp/4001"])
        #expect(info.protocols == ["/ipfs/id/1.0.0", "/chat/1.0.0"])
        #expect(info.observedAddress?.description == "/ip4/198.51.100.7/tcp/50000")
        #expect(info.protocolVersion == "ipfs/0.1.0")
        #expect(info.agentVersion == "oxbow/0.1.0")
        #expect(info.certified == nil && info.recordError == nil)
        #expect(info.droppedAddresses == 0 && info.droppedProtocols == 0)
    }

    @Test func aKeyThatIsNotTheConnectionsIsRefused() throws {
        #expect(throws: IdentifyError.wrongKey) {
            try IdentifyInfo(identification(of: other), authenticatedWith: key)
        }
        let good = key.protobuf
        for index in good.indices {
            for bit in 0..<8 {
                var message = try identification(of: key)
                message.publicKey?[index] ^= 1 << UInt8(bit)
                #expect(throws: IdentifyError.self) { try IdentifyInfo(message, authenticatedWith: key) }
            }
        }
        var message = try identification(of: key)
        message.publicKey = []
        #expect(throws: IdentifyError.malformedKey) { try IdentifyInfo(message, authenticatedWith: key) }
        message.publicKey = nil
        #expect(try IdentifyInfo(message, authenticatedWith: key).peer == key.peerID)
    }

    @Test func dropsAndCountsWhatItCannotUse() throws {
        var message = try identification(of: key)
        let own = try Multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/\(key.peerID)")
        let foreign = try Multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/\(other.peerID)")
        message.listenAddresses += [own.binary, foreign.binary, own.binary, [], [0xff, 0xff, 0x7f], [4, 127]]
        message.protocols += ["", "/chat/1.0.0", String(repeating: "x", count: 513), "/a\n"]
        message.observedAddress = [4]
        let info = try IdentifyInfo(message, authenticatedWith: key)
        #expect(info.listenAddresses == [try Multiaddr("/ip4/192.0.2.1/tcp/4001"), own])
        #expect(info.droppedAddresses == 5)
        #expect(info.observedAddress == nil)
        #expect(info.protocols == ["/ipfs/id/1.0.0", "/chat/1.0.0"])
        #expect(info.droppedProtocols == 3)
    }

    @Test func keepsNoMoreOfAVersionThanItsBound() throws {
        var message = try identification(of: key)
        message.agentVersion = String(repeating: "é", count: 200)
        message.protocolVersion = "x" + String(repeating: "é", count: 200)
        let info = try IdentifyInfo(message, authenticatedWith: key)
        #expect(info.agentVersion == String(repeating: "é", count: 128))
        #expect(info.protocolVersion == "x" + String(repeating: "é", count: 127))
    }

    /// SM-L1, SM-W2.
    @Test func knowsUnderWhichNameThePeerSupportsMigration() throws {
        var message = try identification(of: key)
        #expect(try IdentifyInfo(message, authenticatedWith: key).migrationDialect == nil)
        message.protocols.append("/libp2p/stream-migration/")
        #expect(try IdentifyInfo(message, authenticatedWith: key).migrationDialect == .proofOfConcept)
        message.protocols.append("/libp2p/stream-migration")
        #expect(try IdentifyInfo(message, authenticatedWith: key).migrationDialect == .draft)
    }

    @Test func aPushChangesOnlyWhatItSays() throws {
        var info = try IdentifyInfo(identification(of: key), authenticatedWith: key)
        let before = info
        info.apply(push: try IdentifyInfo(IdentifyMessage(), authenticatedWith: key))
        #expect(info == before)
        var message = IdentifyMessage()
        message.listenAddresses = [try Multiaddr("/ip4/192.0.2.2/tcp/1").binary]
        message.agentVersion = "new"
        info.apply(push: try IdentifyInfo(message, authenticatedWith: key))
        #expect(info.listenAddresses.map(\.description) == ["/ip4/192.0.2.2/tcp/1"])
        #expect(info.agentVersion == "new")
        #expect(info.protocols == before.protocols)
        #expect(info.observedAddress == before.observedAddress)
        message = IdentifyMessage()
        message.protocols = ["/x"]
        message.protocolVersion = "v"
        message.observedAddress = try Multiaddr("/ip4/192.0.2.3/tcp/1").binary
        info.apply(push: try IdentifyInfo(message, authenticatedWith: key))
        #expect(info.protocols == ["/x"])
        #expect(info.protocolVersion == "v")
        #expect(info.observedAddress?.description == "/ip4/192.0.2.3/tcp/1")
    }
}

@Suite struct CertifiedAddressesTests {
    private let key: PrivateKey
    private let other: PrivateKey
    private let address: Multiaddr

    init() throws {
        key = try PrivateKey.generate(.ed25519)
        other = try PrivateKey.generate(.ed25519)
        address = try Multiaddr("/ip4/192.0.2.1/tcp/4001")
    }

    private func judge(record: [UInt8]) throws -> IdentifyInfo {
        var message = try identification(of: key.publicKey)
        message.signedPeerRecord = record
        return try IdentifyInfo(message, authenticatedWith: key.publicKey)
    }

    private func record(sequence: UInt64 = 7, addresses: [[UInt8]]) throws -> [UInt8] {
        let record = PeerRecord(peerID: key.publicKey.peerID, sequence: sequence, addresses: addresses)
        return try record.sealed(with: key).encoded()
    }

    @Test func aGoodRecordCertifiesItsAddresses() throws {
        let foreign = try Multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/\(other.publicKey.peerID)")
        let envelope = try record(addresses: [address.binary, address.binary, foreign.binary, [0xff]])
        let info = try judge(record: envelope)
        #expect(info.recordError == nil)
        #expect(info.certified?.addresses == [address])
        #expect(info.certified?.sequence == 7)
        #expect(info.certified?.envelope == envelope)
        #expect(info.certified?.dropped == 2)
    }

    @Test func everyFlippedByteTakesTheCertificateAwayAndNothingElse() throws {
        let envelope = try record(addresses: [address.binary])
        for index in envelope.indices {
            var bad = envelope
            bad[index] ^= 0x01
            let info = try judge(record: bad)
            #expect(info.certified == nil && info.recordError != nil)
            #expect(info.listenAddresses == [address])
        }
    }

    /// RUSTSEC-2022-0009, CVE-2023-40583.
    @Test func anotherPeersRecordCertifiesNothing() throws {
        let foreign = PeerRecord(peerID: other.publicKey.peerID, sequence: 1, addresses: [address.binary])
        #expect(try judge(record: foreign.sealed(with: other).encoded()).certified == nil)
        let payload = PeerRecordMessage(
            peerID: key.publicKey.peerID.multihash, sequence: 1, addresses: [address.binary]
        ).encoded()
        let crossSigned = try SignedEnvelope(
            sealing: payload, payloadType: PeerRecord.payloadType, domain: PeerRecord.domain, with: other)
        #expect(try judge(record: crossSigned.encoded()).certified == nil)
        let wrongDomain = try SignedEnvelope(
            sealing: payload, payloadType: PeerRecord.payloadType, domain: "libp2p-relay-rsvp", with: key)
        #expect(try judge(record: wrongDomain.encoded()).recordError == .badSignature)
    }

    @Test func onlyALaterRecordReplacesOne() throws {
        var kept = try judge(record: record(sequence: 5, addresses: [address.binary]))
        let second = try Multiaddr("/ip4/192.0.2.2/tcp/2")
        for sequence in [UInt64(0), 4, 5] {
            kept.apply(push: try judge(record: record(sequence: sequence, addresses: [second.binary])))
            #expect(kept.certified?.addresses == [address])
        }
        kept.apply(push: try judge(record: record(sequence: .max, addresses: [second.binary])))
        #expect(kept.certified?.addresses == [second])
        var bare = try IdentifyInfo(identification(of: key.publicKey), authenticatedWith: key.publicKey)
        bare.apply(push: try judge(record: record(sequence: 0, addresses: [second.binary])))
        #expect(bare.certified?.sequence == 0)
    }

    @Test func aWholeIdentificationOverTheWire() throws {
        var message = try identification(of: key.publicKey)
        message.signedPeerRecord = try record(
            addresses: (0..<300).map { try Multiaddr("/ip4/192.0.2.1/tcp/\(4001 + $0)").binary })
        var reader = IdentifyReader()
        var input: ArraySlice<UInt8> = []
        for piece in try IdentifyEncoder.encode(message) {
            input.append(piece)
            try reader.receive(&input)
        }
        let info = try IdentifyInfo(reader.receiveEnd(input), authenticatedWith: key.publicKey)
        #expect(info.certified?.addresses.count == 300)
        #expect(info.listenAddresses == [address])
    }
}
