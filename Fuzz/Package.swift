// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who links Oxbow builds it. The harnesses are in the main package, where the tests
// run them too (`Sources/OxbowFuzzing`): here is only what libFuzzer calls.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]
let strict: [SwiftSetting] = Context.environment["OXBOW_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let package = Package(
    name: "oxbow-fuzz",
    platforms: [.macOS(.v26)],
    products: [.executable(name: "oxbow-fuzz", targets: ["OxbowFuzz"])],
    dependencies: [.package(name: "oxbow", path: "..")],
    targets: [
        .executableTarget(
            name: "OxbowFuzz", dependencies: [.product(name: "OxbowFuzzing", package: "oxbow")],
            swiftSettings: settings + strict)
    ]
)
