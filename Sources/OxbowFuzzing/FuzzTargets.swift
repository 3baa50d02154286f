extension FuzzTarget {
    /// Every target, each with a name of its own.
    public static let all: [FuzzTarget] =
        encodings + addresses + keys + messages + negotiations + noise + tls + upgrade + identify + relay + holePunches
        + autoNAT + localDiscovery + yamux + walks + dialing + books + limits
}
