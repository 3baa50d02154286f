import OxbowCore
import OxbowSwarm
import Testing

@Suite struct AddressBookTests {
    private let alice = testPeer(1)
    private let one = testAddress("/ip4/192.0.2.1/tcp/1")
    private let two = testAddress("/ip4/192.0.2.2/tcp/1")

    private func record(of peer: PeerID, _ sequence: UInt64, _ addresses: [Multiaddr]) -> CertifiedRecord {
        CertifiedRecord(peer: peer, sequence: sequence, addresses: addresses, envelope: [1, 2, 3])
    }

    private func texts(_ book: AddressBook, _ peer: PeerID, at now: Instant) -> [Multiaddr] {
        book.addresses(of: peer, at: now).map(\.address)
    }

    @Test("Each origin has its time, and a shorter one if it says so; the application's own stays")
    func times() {
        var book = AddressBook()
        book.add([one], of: alice, origin: .localNetwork, lifetime: .seconds(120), at: seconds(0))
        #expect(texts(book, alice, at: seconds(119)) == [one])
        #expect(texts(book, alice, at: seconds(120)) == [])
        book.add([one], of: alice, origin: .localNetwork, lifetime: .seconds(Int64.max), at: seconds(200))
        #expect(texts(book, alice, at: seconds(200 + 75 * 60)) == [], "a remote duration is clamped")
        book.add([two], of: alice, origin: .configuration, at: seconds(300))
        #expect(texts(book, alice, at: .zero + .seconds(1 << 30)) == [two])
    }

    @Test("What a connected peer told holds while it is connected, and a while longer")
    func connectedHold() {
        var book = AddressBook()
        book.connected(alice, at: seconds(0))
        book.succeeded(one, of: alice, at: seconds(0))
        book.identified(alice, addresses: [two], PeerDescription(agent: "a"), at: seconds(0))
        let later = seconds(86_400)
        #expect(texts(book, alice, at: later) == [one, two])
        book.connected(alice, at: later)
        book.disconnected(alice, at: later)
        #expect(book.peer(alice, at: later)?.isConnected == true, "one of two connections is left")
        book.disconnected(alice, at: later)
        #expect(texts(book, alice, at: later + .seconds(15 * 60 - 1)) == [one, two])
        #expect(texts(book, alice, at: later + .seconds(15 * 60)) == [one])
        #expect(texts(book, alice, at: later + .seconds(60 * 60)) == [])
        book.disconnected(alice, at: later)
        #expect(book.peer(alice, at: later)?.isConnected == false, "a doubled end changes nothing")
    }

    @Test("identify replaces what identify told; an address that names another peer is left out")
    func identifyReplaces() throws {
        var book = AddressBook()
        book.identified(alice, addresses: [one], PeerDescription(), at: seconds(0))
        #expect(book.count == 0, "nobody speaks for a peer that isn't connected")
        book.connected(alice, at: seconds(0))
        book.identified(alice, addresses: [one], PeerDescription(), at: seconds(0))
        let foreign = try two.appending(peer: testPeer(2))
        let own = try two.appending(peer: alice)
        book.identified(alice, addresses: [foreign], PeerDescription(), at: seconds(1))
        #expect(texts(book, alice, at: seconds(1)) == [])
        book.identified(alice, addresses: [own], PeerDescription(protocols: ["/a"]), at: seconds(1))
        #expect(texts(book, alice, at: seconds(1)) == [two])
        #expect(book.peer(alice, at: seconds(1))?.description.protocols == ["/a"])
    }

    @Test("A record is taken from its own connected peer, the newest wins, and it replaces the unsigned word")
    func records() {
        var book = AddressBook()
        #expect(book.certify(record(of: alice, 1, [one]), from: alice, at: seconds(0)) == .notConnected)
        book.connected(alice, at: seconds(0))
        book.identified(alice, addresses: [two], PeerDescription(), at: seconds(0))
        #expect(book.certify(record(of: testPeer(2), 9, [one]), from: alice, at: seconds(0)) == .ofAnotherPeer)
        #expect(book.certify(record(of: alice, 5, [one]), from: alice, at: seconds(0)) == .accepted)
        #expect(texts(book, alice, at: seconds(0)) == [one])
        for old in [UInt64(0), 4, 5] {
            #expect(book.certify(record(of: alice, old, [two]), from: alice, at: seconds(0)) == .outdated)
        }
        book.identified(alice, addresses: [two], PeerDescription(), at: seconds(0))
        #expect(texts(book, alice, at: seconds(0)) == [one], "the unsigned word doesn't count beside a record")
        #expect(book.certify(record(of: alice, .max, [two]), from: alice, at: seconds(0)) == .accepted)
        #expect(texts(book, alice, at: seconds(0)) == [two])
        let long = CertifiedRecord(
            peer: testPeer(3), sequence: 1, addresses: [], envelope: Array(repeating: 0, count: 8_193))
        book.connected(testPeer(3), at: seconds(0))
        #expect(book.certify(long, from: testPeer(3), at: seconds(0)) == .tooLong)
    }

    @Test("The same record on a later connection holds anew, where its addresses have had their time")
    func recordAgain() {
        var book = AddressBook()
        let record = record(of: alice, 5, [one])
        let kept = KnownAddress(address: two, origin: .given, expires: seconds(100))
        book.restore(KnownPeer(peer: alice, addresses: [kept], record: record), at: seconds(0))
        book.connected(alice, at: seconds(0))
        #expect(texts(book, alice, at: seconds(0)) == [two])
        #expect(book.certify(record, from: alice, at: seconds(0)) == .accepted)
        #expect(Set(texts(book, alice, at: seconds(0))) == [one, two])
    }

    @Test(
        "CVE-2023-40583: a million records of random peers, and announcements of 100,000, leave the book as small as it was"
    )
    func recordFlood() {
        var book = AddressBook()
        let attacker = testPeer(0)
        book.connected(attacker, at: seconds(0))
        for number in 1...1_000_000 {
            let now = Instant.zero + .milliseconds(number)
            _ = book.certify(record(of: testPeer(number), UInt64(number), [one]), from: attacker, at: now)
            guard number.isMultiple(of: 10) else { continue }
            book.add([one], of: testPeer(number), origin: .localNetwork, at: now)
        }
        #expect(book.count <= 1 + book.configuration.unprovenPeers)
        #expect(book.peer(attacker, at: seconds(1))?.addresses == [])
    }

    @Test("A flood takes no room from peers that are connected, named, or were connected to")
    func fairness() {
        var configuration = AddressBookConfiguration()
        (configuration.peers, configuration.unprovenPeers) = (8, 4)
        var book = AddressBook(configuration: configuration)
        book.connected(testPeer(1), at: seconds(0))
        book.add([one], of: testPeer(2), origin: .configuration, at: seconds(0))
        for number in 3...6 { book.succeeded(one, of: testPeer(number), at: seconds(0)) }
        for number in 100..<200 {
            book.add([two], of: testPeer(number), origin: .localNetwork, at: seconds(1))
        }
        #expect(book.count == 8)
        #expect(book.peers.prefix(6) == (1...6).map(testPeer)[...])
        #expect(book.peers.suffix(2) == [testPeer(198), testPeer(199)], "of rumours the newest stay")
        // Proven newcomers replace rumours first, then the proven that were seen longest ago.
        for number in 7...9 { book.succeeded(one, of: testPeer(number), at: seconds(2)) }
        #expect(book.peers == [1, 2, 4, 5, 6, 7, 8, 9].map(testPeer))
        book.succeeded(one, of: testPeer(4), at: seconds(3))
        book.succeeded(one, of: testPeer(10), at: seconds(3))
        #expect(book.peers == [1, 2, 4, 6, 7, 8, 9, 10].map(testPeer), "who was seen again stays")
    }

    @Test("A book full of protected peers refuses a newcomer, but never a connection")
    func full() {
        var configuration = AddressBookConfiguration()
        configuration.peers = 2
        var book = AddressBook(configuration: configuration)
        book.connected(testPeer(1), at: seconds(0))
        book.add([one], of: testPeer(2), origin: .configuration, at: seconds(0))
        let isTaken = book.add([one], of: testPeer(3), origin: .given, at: seconds(0))
        #expect(!isTaken)
        book.connected(testPeer(4), at: seconds(0))
        #expect(book.count == 3)
        book.disconnected(testPeer(4), at: seconds(1))
        #expect(book.count <= 3)
        #expect(book.peers.starts(with: [testPeer(1), testPeer(2)]))
    }

    @Test("One peer fills its own entry and no more; what was proven or named stays in it")
    func addressFlood() {
        var book = AddressBook()
        book.connected(alice, at: seconds(0))
        book.succeeded(one, of: alice, at: seconds(0))
        let many = (1...10_000).map { testAddress("/ip4/10.0.0.1/tcp/\($0)") }
        book.identified(
            alice, addresses: many,
            PeerDescription(protocols: (0..<10_000).compactMap { ProtocolID("/\($0)") }), at: seconds(1))
        let known = book.peer(alice, at: seconds(1))
        #expect(known?.addresses.count == book.configuration.addressesPerPeer)
        #expect(known?.addresses.first?.address == one)
        #expect(known?.description.protocols.count == book.configuration.protocolsPerPeer)
        book.add([two], of: alice, origin: .configuration, at: seconds(2))
        #expect(book.addresses(of: alice, at: seconds(2)).first?.address == two)
    }

    @Test("Zero takes an announcement back, and nothing that is known otherwise")
    func goodbye() {
        var book = AddressBook()
        book.add([one, two], of: alice, origin: .localNetwork, at: seconds(0))
        book.succeeded(two, of: alice, at: seconds(0))
        book.add([one, two], of: alice, origin: .localNetwork, lifetime: .zero, at: seconds(1))
        #expect(texts(book, alice, at: seconds(1)) == [two])
    }

    @Test("Storage gets what changed, once, and gives it back clamped")
    func storage() {
        var book = AddressBook()
        book.add([one], of: testPeer(9), origin: .localNetwork, at: seconds(0))
        #expect(book.takeChanges() == [], "a rumour isn't worth keeping")
        book.succeeded(one, of: alice, at: seconds(0))
        #expect(book.takeChanges() == [alice])
        #expect(book.takeChanges() == [])
        var known = book.peer(alice, at: seconds(0))
        known?.addresses.append(KnownAddress(address: two, origin: .record, expires: .distantFuture))
        book.forget(alice)
        #expect(book.takeChanges() == [alice] && book.peer(alice, at: seconds(0)) == nil)
        if let known { book.restore(known, at: seconds(10)) }
        #expect(book.takeChanges() == [])
        #expect(texts(book, alice, at: seconds(11)) == [one, two])
        #expect(texts(book, alice, at: seconds(10 + 3_600)) == [], "a wrong clock makes nothing immortal")
    }

    @Test("Expired peers go by themselves")
    func sweeps() {
        var book = AddressBook()
        for number in 1...100 { book.succeeded(one, of: testPeer(number), at: seconds(0)) }
        book.succeeded(one, of: testPeer(101), at: seconds(7_200))
        #expect(book.peers == [testPeer(101)])
    }

    @Test("Failures make nobody known, and are remembered of who is")
    func failures() {
        var book = AddressBook()
        book.failed(one, of: alice, at: seconds(1))
        #expect(book.count == 0)
        book.add([one], of: alice, origin: .given, at: seconds(1))
        book.failed(one, of: alice, at: seconds(2))
        #expect(book.addresses(of: alice, at: seconds(2)).first?.lastFailure == seconds(2))
    }
}
