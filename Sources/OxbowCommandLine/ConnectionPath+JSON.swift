import OxbowCore
package import OxbowNIO

extension ConnectionPath {
    /// The path for a script.
    package var json: JSON {
        .object([
            ("connection", .uint(id.rawValue)), ("inbound", .bool(role == .listener)),
            ("local", localAddress.map { .string($0.description) } ?? .null),
            ("remote", remoteAddress.map { .string($0.description) } ?? .null),
            ("security", security.map { .string($0.rawValue) } ?? .null),
            ("relayed", .bool(isRelayed)), ("limited", .bool(isLimited)),
        ])
    }
}
