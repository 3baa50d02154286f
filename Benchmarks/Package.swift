// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who links Oxbow builds it. It sees the library as every user does.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]
let strict: [SwiftSetting] = Context.environment["OXBOW_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let package = Package(
    name: "oxbow-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "oxbow", path: ".."),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.80.0"),
    ],
    targets: [
        .executableTarget(
            name: "OxbowBenchmarks",
            dependencies: [
                .product(name: "Oxbow", package: "oxbow"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings + strict)
    ]
)
