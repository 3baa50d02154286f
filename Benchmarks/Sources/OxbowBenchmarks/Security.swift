import Oxbow

/// A security protocol that is measured.
struct Security: Sendable {
    let kind: SecurityProtocol
    /// Stands in figures' keys for it, and in the arguments of other peers.
    let key: String
    /// What a reader knows it as.
    let name: String

    static let noise = Security(kind: .noise, key: "noise", name: "Noise")
    static let tls = Security(kind: .tls, key: "tls", name: "TLS")
}
