// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "dionysus", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "Bench",
            dependencies: [
                .product(name: "Dionysus", package: "dionysus"),
                .product(name: "DionysusProducer", package: "dionysus"),
                .product(name: "DionysusConsumer", package: "dionysus"),
                .product(name: "DionysusSchemas", package: "dionysus"),
                .product(name: "DionysusPostgres", package: "dionysus"),
                .product(name: "DionysusSQLite", package: "dionysus"),
                .product(name: "DionysusKafka", package: "dionysus"),
                .product(name: "DionysusKafkaTesting", package: "dionysus"),
                .product(name: "DionysusEmbedded", package: "dionysus"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "MetricsBench",
            dependencies: [
                .product(name: "DionysusMetrics", package: "dionysus"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
