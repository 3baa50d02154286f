// swift-tools-version: 6.2
import PackageDescription

// The arrows between targets run downwards only; `Specs/architecture.md` draws them and the style test enforces
// what the compiler can't. A target appears here when it has content.

/// Every Oxbow target is compiled with the same settings: Swift 6 mode, imports that name what they use and stay
/// internal unless they are part of an interface, and async functions that stay on their caller's executor.
let oxbow: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]
// Warnings fail CI, not a user who builds with a newer compiler.
let strict: [SwiftSetting] = Context.environment["OXBOW_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

func machine(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: oxbow + strict)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: oxbow + strict)
}

let package = Package(
    name: "oxbow",
    platforms: [.macOS(.v26)],
    products: [],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev", "protobuf-c-compiler"])]),
        .target(name: "OxbowMessagesC", dependencies: ["CProtobufC"]),

        machine("OxbowCore", []),
        machine("OxbowWire", ["OxbowCore", "OxbowMessagesC", "CProtobufC"]),
        machine("OxbowCrypto", ["OxbowCore", "OxbowWire", "COpenSSL", "COpenSSLShim"]),
        machine("OxbowSecurity", ["OxbowCore", "OxbowWire", "OxbowCrypto", "COpenSSL", "COpenSSLShim"]),
        machine("OxbowMux", ["OxbowCore"]),
        machine("OxbowMigration", ["OxbowCore"]),
        machine("OxbowProtocols", ["OxbowCore", "OxbowWire", "OxbowCrypto"]),
        .target(name: "COpenSSLShim", dependencies: ["COpenSSL"]),

        tests("OxbowCoreTests", ["OxbowCore"]),
        tests("OxbowWireTests", ["OxbowCore", "OxbowWire"]),
        tests("OxbowCryptoTests", ["OxbowCore", "OxbowWire", "OxbowCrypto"]),
        tests("OxbowSecurityTests", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity"]),
        tests("OxbowMuxTests", ["OxbowCore", "OxbowMux"]),
        tests("OxbowMigrationTests", ["OxbowCore", "OxbowMigration"]),
        tests("OxbowProtocolsTests", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowProtocols"]),
        tests("OxbowStyleTests", []),
    ]
)
