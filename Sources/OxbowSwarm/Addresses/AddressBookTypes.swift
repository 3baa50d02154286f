public import OxbowCore

/// How an address of a peer was learned, the most trusted first.
public enum AddressOrigin: UInt8, Hashable, Sendable, Comparable, CaseIterable {
    /// The application's own list: it never expires and is never evicted.
    case configuration = 0
    /// A dial led from there to the peer.
    case dialled = 1
    /// The application named it for one dial.
    case given = 2
    /// The peer vouches for it with its signature (libp2p/specs RFC 0003).
    case record = 3
    /// The peer's unsigned word, by identify.
    case identify = 4
    /// Multicast on the local network: anybody there may have sent it.
    case localNetwork = 5

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// One address of a peer, as the book knows it.
public struct KnownAddress: Hashable, Sendable {
    /// Without the peer's id behind.
    public let address: Multiaddr
    /// The most trusted way by which it was learned.
    public internal(set) var origin: AddressOrigin
    /// When it is forgotten, unless the peer is connected then; `Instant.distantFuture` for what stays.
    public internal(set) var expires: Instant
    /// When a dial led from there to the peer, the last time.
    public internal(set) var lastSuccess: Instant?
    /// When a dial to it failed, the last time.
    public internal(set) var lastFailure: Instant?

    public init(
        address: Multiaddr, origin: AddressOrigin, expires: Instant, lastSuccess: Instant? = nil,
        lastFailure: Instant? = nil
    ) {
        self.address = address
        self.origin = origin
        self.expires = expires
        self.lastSuccess = lastSuccess
        self.lastFailure = lastFailure
    }
}

/// A signed peer record whose signature was checked.
public struct CertifiedRecord: Hashable, Sendable {
    /// Who signed it, and of whom it speaks.
    public let peer: PeerID
    /// A later record of the same peer has a higher number; it isn't a time.
    public let sequence: UInt64
    /// What it vouches for.
    public let addresses: [Multiaddr]
    /// The signed envelope as it came, to be handed on.
    public let envelope: [UInt8]

    public init(peer: PeerID, sequence: UInt64, addresses: [Multiaddr], envelope: [UInt8]) {
        self.peer = peer
        self.sequence = sequence
        self.addresses = addresses
        self.envelope = envelope
    }
}

/// What became of a record.
public enum RecordVerdict: Hashable, Sendable {
    case accepted
    /// One with a higher number is known, or another with the same.
    case outdated
    /// It speaks of somebody else than the peer that it came from.
    case ofAnotherPeer
    /// Records are taken from connected peers alone (CVE-2023-40583).
    case notConnected
    /// The envelope is longer than ``AddressBookConfiguration/maximumEnvelope``.
    case tooLong
}

/// What a peer told about itself by identify, besides its addresses. All of it is the peer's word but the key.
public struct PeerDescription: Hashable, Sendable {
    /// What it serves; the book keeps ``AddressBookConfiguration/protocolsPerPeer`` of them.
    public var protocols: [ProtocolID]
    /// The software's name. It may hold anything: escape it before it is shown.
    public var agent: String?
    /// The key that the peer's connections were authenticated with, as its protobuf message.
    public var publicKey: [UInt8]?

    public init(protocols: [ProtocolID] = [], agent: String? = nil, publicKey: [UInt8]? = nil) {
        self.protocols = protocols
        self.agent = agent
        self.publicKey = publicKey
    }
}

/// All that the book knows of one peer.
public struct KnownPeer: Hashable, Sendable {
    public let peer: PeerID
    /// What is valid now, the most trusted first.
    public var addresses: [KnownAddress]
    public var description: PeerDescription
    /// The newest record that the peer has signed.
    public var record: CertifiedRecord?
    public var isConnected: Bool

    public init(
        peer: PeerID, addresses: [KnownAddress], description: PeerDescription = PeerDescription(),
        record: CertifiedRecord? = nil, isConnected: Bool = false
    ) {
        self.peer = peer
        self.addresses = addresses
        self.description = description
        self.record = record
        self.isConnected = isConnected
    }
}

/// The bounds and times of an ``AddressBook``.
public struct AddressBookConfiguration: Hashable, Sendable {
    /// Peers that are remembered. Those that are connected come on top where there is no room: connections have their own bound.
    public var peers = 4_096
    /// Of them, those that were only heard of on the local network and never connected to.
    public var unprovenPeers = 512
    /// Addresses of one peer.
    public var addressesPerPeer = 64
    /// Protocols that are remembered of one peer.
    public var protocolsPerPeer = 128
    /// The longest signed envelope that is kept, in bytes.
    public var maximumEnvelope = 8_192
    /// How long addresses that a peer told last after its last connection has ended.
    public var recentlyConnected: Duration = .seconds(15 * 60)
    /// How long an address lasts that was dialled with success, was given, or is signed: from then, and from the end of
    /// the last connection.
    public var proven: Duration = .seconds(60 * 60)
    /// The longest time for which an announcement on the local network counts, whatever it says.
    public var localNetwork: Duration = .seconds(75 * 60)

    public init() {}

    /// How long an address of an origin lasts behind the moment at which it was seen last.
    func lifetime(_ origin: AddressOrigin) -> Duration? {
        switch origin {
        case .configuration: nil
        case .dialled, .given, .record: proven
        case .identify: recentlyConnected
        case .localNetwork: localNetwork
        }
    }
}
