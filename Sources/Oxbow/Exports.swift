// Who imports Oxbow sees the names that its interface is made of.
@_exported public import NIOCore
@_exported public import OxbowCore
@_exported public import OxbowCrypto
@_exported public import OxbowMigration
@_exported public import OxbowMux
@_exported public import OxbowNIO
@_exported public import OxbowProtocols
@_exported public import OxbowSwarm

/// ``Host``, for files that import Foundation too, which has another of that name.
public typealias OxbowHost = Host
/// ``Stream``, for files that import Foundation too, which has another of that name.
public typealias OxbowStream = Stream
