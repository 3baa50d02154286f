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

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: oxbow + strict)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: oxbow + strict)
}

let package = Package(
    name: "oxbow",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Oxbow", targets: ["Oxbow"]),
        .library(name: "OxbowSQLite", targets: ["OxbowSQLite"]),
        .executable(name: "oxbow", targets: ["OxbowCLI"]),
        .executable(name: "oxbow-interop", targets: ["OxbowInterop"]),
        .executable(name: "oxbow-simulate", targets: ["OxbowSimulate"]),
        // For the nested package of the fuzzer, which can import nothing but products.
        .library(name: "OxbowFuzzing", targets: ["OxbowFuzzing"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.80.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.6.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev", "protobuf-c-compiler"])]),
        .target(name: "COpenSSLShim", dependencies: ["COpenSSL"]),
        .target(name: "OxbowMessagesC", dependencies: ["CProtobufC"]),

        library("OxbowCore", [.product(name: "OrderedCollections", package: "swift-collections")]),
        library("OxbowWire", ["OxbowCore", "OxbowMessagesC", "CProtobufC"]),
        library("OxbowCrypto", ["OxbowCore", "OxbowWire", "COpenSSL", "COpenSSLShim"]),
        library("OxbowSecurity", ["OxbowCore", "OxbowWire", "OxbowCrypto", "COpenSSL", "COpenSSLShim"]),
        library("OxbowMux", ["OxbowCore"]),
        library("OxbowMigration", ["OxbowCore"]),
        library("OxbowProtocols", ["OxbowCore", "OxbowWire", "OxbowCrypto"]),
        library("OxbowSwarm", ["OxbowCore", "OxbowMigration"]),
        library(
            "OxbowUpgrade", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowProtocols"]),

        library(
            "OxbowNIO",
            [
                "OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowMux", "OxbowMigration",
                "OxbowProtocols", "OxbowUpgrade", "OxbowSwarm",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),

        library(
            "Oxbow",
            [
                "OxbowCore", "OxbowCrypto", "OxbowMigration", "OxbowMux", "OxbowProtocols", "OxbowUpgrade",
                "OxbowSwarm",
                "OxbowNIO",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        // On its own, so that who keeps peers elsewhere builds no SQLite.
        library(
            "OxbowSQLite",
            ["OxbowCore", "OxbowSwarm", "OxbowNIO", .product(name: "GRDB", package: "GRDB.swift")]),

        // What the programs share: it is no product.
        library(
            "OxbowCommandLine",
            [
                "OxbowCore", "OxbowCrypto", "OxbowProtocols", "OxbowNIO", "Oxbow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        // The folder isn't named after the product: beside `Oxbow` it would be the same on a file system without case.
        .executableTarget(
            name: "OxbowCLI",
            dependencies: [
                "OxbowCore", "OxbowCrypto", "OxbowMigration", "OxbowProtocols", "OxbowNIO", "Oxbow",
                "OxbowCommandLine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: oxbow + strict),
        // The peer of the interop tests, apart from `oxbow`: a user's program carries no front ends of tests.
        .executableTarget(
            name: "OxbowInterop",
            dependencies: [
                "OxbowCore", "OxbowCrypto", "OxbowMigration", "OxbowProtocols", "OxbowSecurity", "OxbowUpgrade",
                "OxbowNIO", "Oxbow", "OxbowCommandLine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: oxbow + strict),
        .executableTarget(
            name: "Echo", dependencies: ["Oxbow"], path: "Examples/Echo", swiftSettings: oxbow + strict),

        // Pseudo-random numbers that are the same in each run: for simulations, walks and tests alone.
        library("OxbowSeeds", []),
        library(
            "OxbowTesting",
            [
                "OxbowSeeds",
                "OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowMux", "OxbowMigration",
                "OxbowProtocols", "OxbowUpgrade", "OxbowSwarm", "OxbowNIO", "Oxbow",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "OxbowSimulate",
            dependencies: [
                "OxbowCore", "OxbowTesting", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: oxbow + strict),

        // The check of the real machines: for who works on the package, so it is no product.
        library("OxbowExplorer", ["OxbowCore", "OxbowMigration", "OxbowSwarm", "OxbowSeeds"]),
        .executableTarget(
            name: "OxbowModelCheck",
            dependencies: ["OxbowExplorer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: oxbow + strict),

        // Counts the instructions and allocations of hot paths: for who works on the package, so it is no product.
        .target(name: "CallCounter", path: "Benchmarks/CallCounter"),
        .executableTarget(
            name: "OxbowCounts",
            dependencies: [
                "CallCounter", "OxbowCore", "OxbowSecurity", "OxbowMux", "OxbowMigration", "OxbowSwarm", "OxbowNIO",
                "OxbowTesting",
                .product(name: "NIOCore", package: "swift-nio"),
            ], path: "Benchmarks/Counts", swiftSettings: oxbow + strict),

        // The harnesses of the fuzzer, which the tests run too.
        library(
            "OxbowFuzzing",
            [
                "OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowMux", "OxbowMigration",
                "OxbowProtocols", "OxbowUpgrade", "OxbowSwarm", "OxbowExplorer",
            ]),

        tests("OxbowStyleTests", []),
        tests(
            "OxbowTests",
            [
                "Oxbow", "OxbowSecurity", "OxbowMux", "OxbowProtocols", "OxbowUpgrade", "OxbowTesting", "OxbowSeeds",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ]),
        tests(
            "OxbowNIOTests",
            [
                "OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowMux", "OxbowMigration",
                "OxbowProtocols", "OxbowUpgrade", "OxbowSwarm", "OxbowNIO", "OxbowTesting", "OxbowSeeds",
                "COpenSSL",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests(
            "OxbowUpgradeTests",
            ["OxbowCore", "OxbowCrypto", "OxbowSecurity", "OxbowProtocols", "OxbowUpgrade", "OxbowTesting"]),
        tests(
            "OxbowCLITests",
            [
                "OxbowCLI", "OxbowCommandLine", "OxbowCore", "OxbowCrypto", "OxbowNIO", "Oxbow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        tests(
            "OxbowInteropTests",
            [
                "OxbowInterop", "OxbowCommandLine", "OxbowCore", "OxbowCrypto", "OxbowNIO", "Oxbow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests(
            "OxbowSQLiteTests",
            [
                "OxbowCore", "OxbowCrypto", "OxbowSwarm", "OxbowNIO", "Oxbow", "OxbowSQLite", "OxbowTesting",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        tests("OxbowCoreTests", ["OxbowCore", "OxbowSeeds"]),
        tests("OxbowWireTests", ["OxbowCore", "OxbowWire"]),
        tests("OxbowCryptoTests", ["OxbowCore", "OxbowWire", "OxbowCrypto"]),
        tests("OxbowSecurityTests", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowSeeds"]),
        tests("OxbowMuxTests", ["OxbowCore", "OxbowMux", "OxbowSeeds"]),
        tests("OxbowMigrationTests", ["OxbowCore", "OxbowMigration"]),
        tests("OxbowSwarmTests", ["OxbowCore", "OxbowMigration", "OxbowSwarm", "OxbowSeeds"]),
        tests("OxbowExplorerTests", ["OxbowCore", "OxbowMux", "OxbowMigration", "OxbowExplorer", "OxbowSeeds"]),
        tests("OxbowFuzzingTests", ["OxbowCore", "OxbowCrypto", "OxbowExplorer", "OxbowFuzzing", "OxbowSeeds"]),
        tests("OxbowProtocolsTests", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowProtocols", "OxbowSeeds"]),
    ]
)
