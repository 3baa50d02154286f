public import OxbowCore
public import OxbowSwarm

/// What is kept of a peer beyond the life of a process. Times are seconds since 1970.
public struct StoredPeer: Hashable, Sendable {
    /// One address of the peer.
    public struct Address: Hashable, Sendable {
        /// Without the peer's id behind.
        public var address: Multiaddr
        public var origin: AddressOrigin
        /// When it counts no more; nil for one that stays.
        public var expires: Int64?
        /// When a dial last led from there to the peer.
        public var lastSuccess: Int64?

        public init(address: Multiaddr, origin: AddressOrigin, expires: Int64?, lastSuccess: Int64? = nil) {
            self.address = address
            self.origin = origin
            self.expires = expires
            self.lastSuccess = lastSuccess
        }
    }

    /// Who.
    public var peer: PeerID
    /// Where; each address once.
    public var addresses: [Address]
    /// What the peer serves, by its own word.
    public var protocols: [ProtocolID]
    /// The peer's own word; it may hold anything.
    public var agent: String?
    /// The protobuf message of the peer's key.
    public var publicKey: [UInt8]?
    /// The newest signed record, as it came; it is verified again when it is loaded.
    public var record: [UInt8]?

    public init(
        peer: PeerID, addresses: [Address], protocols: [ProtocolID] = [], agent: String? = nil,
        publicKey: [UInt8]? = nil, record: [UInt8]? = nil
    ) {
        self.peer = peer
        self.addresses = addresses
        self.protocols = protocols
        self.agent = agent
        self.publicKey = publicKey
        self.record = record
    }
}

/// Where a host keeps what it knows of peers. Without one it is kept in memory.
///
/// Calls come from tasks, never from an event loop, and one at a time.
public protocol PeerStorage: Sendable {
    /// All that is kept. Called once, before the host listens.
    func load() async throws -> [StoredPeer]
    /// Replaces what is kept of `peers`, and forgets `forgotten`: all of it or nothing. A batch that fails is given
    /// again, with what has changed by then.
    func save(_ peers: [StoredPeer], forgetting forgotten: [PeerID]) async throws
}
