// Who imports Oxbow sees the names that its interface is made of.
@_exported public import NIOCore
@_exported public import OxbowCore
@_exported public import OxbowCrypto
@_exported public import OxbowMigration
@_exported public import OxbowNIO
