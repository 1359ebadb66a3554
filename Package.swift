// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "dionysus",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Dionysus", targets: ["Dionysus"]),
        .library(name: "DionysusProducer", targets: ["DionysusProducer"]),
        .library(name: "DionysusConsumer", targets: ["DionysusConsumer"]),
        .library(name: "DionysusEvents", targets: ["DionysusEvents"]),
        .library(name: "DionysusSchemas", targets: ["DionysusSchemas"]),
        .library(name: "DionysusRegistry", targets: ["DionysusRegistry"]),
        .library(name: "DionysusProtobuf", targets: ["DionysusProtobuf"]),
        .library(name: "DionysusPostgres", targets: ["DionysusPostgres"]),
        .library(name: "DionysusSQLite", targets: ["DionysusSQLite"]),
        .library(name: "DionysusGRDB", targets: ["DionysusGRDB"]),
        .library(name: "DionysusKafka", targets: ["DionysusKafka"]),
        .library(name: "DionysusEmbedded", targets: ["DionysusEmbedded"]),
        .library(name: "DionysusHealth", targets: ["DionysusHealth"]),
        .library(name: "DionysusMetrics", targets: ["DionysusMetrics"]),
        .library(name: "DionysusConsole", targets: ["DionysusConsole"]),
        .library(name: "DionysusHummingbird", targets: ["DionysusHummingbird"]),
        .library(name: "DionysusApplication", targets: ["DionysusApplication"]),
        .library(name: "DionysusFile", targets: ["DionysusFile"]),
        .library(name: "DionysusTesting", targets: ["DionysusTesting"]),
        .library(name: "DionysusKafkaTesting", targets: ["DionysusKafkaTesting"]),
        .library(name: "DionysusRegistryTesting", targets: ["DionysusRegistryTesting"]),
        .library(name: "DionysusConformance", targets: ["DionysusConformance"]),
        .executable(name: "dionysus", targets: ["DionysusCommand"]),
        .executable(name: "rentals", targets: ["Rentals"]),
        .executable(name: "ads", targets: ["Ads"]),
    ],
    traits: [
        .trait(name: "PostgreSQL", description: "PostgreSQL, by libpq."),
        .trait(name: "SQLite", description: "SQLite and the embedded log, by GRDB."),
        .trait(name: "Kafka", description: "Kafka, by librdkafka."),
        .trait(name: "Monitoring", description: "Probes and metrics over HTTP, and OTLP, by Hummingbird and SwiftNIO."),
        .trait(name: "Registry", description: "Schema registries, by SwiftNIO."),
        .default(enabledTraits: ["PostgreSQL", "SQLite", "Kafka", "Monitoring", "Registry"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: [.defaults]),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CRdkafka",
            pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]
        ),
        .systemLibrary(
            name: "CLibpq",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .target(
            name: "Dionysus",
            dependencies: [
                "CMalloc",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(name: "PrivateFiles", swiftSettings: strict),
        .target(
            name: "DionysusProducer",
            dependencies: [
                "Dionysus", "DionysusSchemas",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusConsumer",
            dependencies: [
                "Dionysus", "DionysusSchemas",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusEvents",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusProducer", "DionysusSchemas",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusSchemas",
            dependencies: ["Dionysus", "DionysusHTTP", "CZlib", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusRegistry",
            dependencies: ["Dionysus", "DionysusHTTP", "DionysusHTTPClient", "DionysusSchemas"],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusProtobuf",
            dependencies: [
                "Dionysus", "DionysusSchemas", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusPostgres",
            dependencies: [
                "Dionysus", "CLibpq",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusSQLite",
            dependencies: [
                "Dionysus", "PrivateFiles", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusGRDB",
            dependencies: [
                "Dionysus", "DionysusProducer", "DionysusSQLite",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusKafka",
            dependencies: ["Dionysus", "CRdkafka", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusEmbedded",
            dependencies: [
                "Dionysus", "PrivateFiles", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusHealth",
            dependencies: ["Dionysus", "PrivateFiles", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict
        ),
        .target(name: "DionysusHTTP", swiftSettings: strict),
        .target(
            name: "DionysusHTTPClient",
            dependencies: [
                "DionysusHTTP",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusMetrics",
            dependencies: [
                "Dionysus", "DionysusHTTP", "DionysusHTTPClient", "CZlib",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusConsole",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusEvents", "DionysusHealth", "DionysusMetrics",
                "DionysusProducer",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [
                .embedInCode("Assets/console.css"), .embedInCode("Assets/console.js"), .embedInCode("Assets/icon.svg"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusHummingbird",
            dependencies: [
                "Dionysus", "DionysusSchemas",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusApplication",
            dependencies: [
                "Dionysus", "DionysusSchemas", "DionysusProducer", "DionysusConsumer", "DionysusHealth", "PrivateFiles",
                .product(name: "Crypto", package: "swift-crypto"),
                .target(name: "DionysusPostgres", condition: .when(traits: ["PostgreSQL"])),
                .target(name: "DionysusSQLite", condition: .when(traits: ["SQLite"])),
                .target(name: "DionysusEmbedded", condition: .when(traits: ["SQLite"])),
                .target(name: "DionysusKafka", condition: .when(traits: ["Kafka"])),
                .target(name: "DionysusMetrics", condition: .when(traits: ["Monitoring"])),
                .target(name: "DionysusConsole", condition: .when(traits: ["Monitoring"])),
                .target(name: "DionysusRegistry", condition: .when(traits: ["Registry"])),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusFile",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", "DionysusProducer", "DionysusSchemas",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "DionysusCommand",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", "DionysusFile", "DionysusProducer",
                "DionysusSchemas",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DionysusTesting",
            dependencies: [
                "Dionysus", "DionysusProducer", "DionysusConsumer", "DionysusSchemas",
                .target(name: "DionysusPostgres", condition: .when(traits: ["PostgreSQL"])),
                .target(name: "DionysusSQLite", condition: .when(traits: ["SQLite"])),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .target(name: "DionysusKafkaTesting", dependencies: ["Dionysus", "CRdkafka"], swiftSettings: strict),
        .target(
            name: "DionysusRegistryTesting",
            dependencies: [
                "Dionysus", "DionysusHTTP", "DionysusProtobuf", "DionysusSchemas",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .target(name: "DionysusConformance", dependencies: ["Dionysus"], swiftSettings: strict),
        .executableTarget(
            name: "Rentals",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", "DionysusProducer", "DionysusSchemas",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/Rentals",
            exclude: ["rentals.yml"],
            resources: [.embedInCode("Feed/Announcement.avsc"), .embedInCode("Feed/Widget.avsc")],
            packageAccess: false,
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Ads",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", "DionysusEvents", "DionysusProducer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Examples/Ads",
            packageAccess: false,
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Bench",
            dependencies: [
                "Dionysus", "DionysusConsole", "DionysusConsumer", "DionysusEmbedded", "DionysusEvents", "DionysusFile",
                "DionysusHTTP", "DionysusHTTPClient", "DionysusKafka", "DionysusKafkaTesting",
                "DionysusPostgres", "DionysusProducer", "DionysusSQLite", "DionysusSchemas",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Benchmarks",
            exclude: ["Metrics"]
        ),
        .executableTarget(
            name: "MetricsBench",
            dependencies: ["DionysusMetrics", .product(name: "CoreMetrics", package: "swift-metrics")],
            path: "Benchmarks/Metrics"
        ),
        .target(
            name: "Observability",
            dependencies: [
                "Dionysus", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            path: "Examples/Observability",
            exclude: ["grafana", "prometheus"],
            packageAccess: false,
            swiftSettings: strict
        ),
        .testTarget(
            name: "ObservabilityTests",
            dependencies: ["Dionysus", "Observability", .product(name: "Metrics", package: "swift-metrics")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusMetricsTests",
            dependencies: [
                "Dionysus", "DionysusConsole", "DionysusHealth", "DionysusHTTP", "DionysusHTTPClient",
                "DionysusMetrics", "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusConsoleTests",
            dependencies: [
                "Dionysus", "DionysusConsole", "DionysusConsumer", "DionysusEmbedded", "DionysusEvents", "DionysusHTTP",
                "DionysusHTTPClient", "DionysusProducer", "Rentals", "TestSupport",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusHummingbirdTests",
            dependencies: [
                "Dionysus", "DionysusHTTP", "DionysusHTTPClient", "DionysusHummingbird", "DionysusSchemas",
                "TestSupport",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "MockKafka",
            dependencies: ["DionysusKafkaTesting"],
            path: "Tests/MockKafka",
            swiftSettings: strict
        ),
        .target(
            name: "FaultProxy",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/FaultProxy",
            swiftSettings: strict
        ),
        .target(
            name: "FakeKafka",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/FakeKafka",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Chaos",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusKafka", "DionysusKafkaTesting",
                "DionysusPostgres",
                "DionysusSQLite",
                "FaultProxy", "Rentals", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/Chaos",
            swiftSettings: strict
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "Dionysus", "DionysusPostgres", "DionysusSQLite", "DionysusTesting",
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Tests/Support",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusTests",
            dependencies: ["Dionysus"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "FileTool",
            dependencies: ["DionysusApplication", "DionysusFile", "DionysusProducer"],
            path: "Tests/FileTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusFileTests",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", "DionysusFile", "DionysusProducer",
                "DionysusSchemas", "DionysusTesting", "FileTool", "TestSupport",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusSchemasTests",
            dependencies: ["Dionysus", "DionysusSchemas"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "AvroTool",
            dependencies: ["Dionysus", "DionysusSchemas"],
            path: "Tests/AvroTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusRegistryTests",
            dependencies: [
                "Dionysus", "DionysusHTTP", "DionysusHTTPClient", "DionysusProtobuf", "DionysusRegistry",
                "DionysusRegistryTesting", "DionysusSchemas", "ProtobufExamples", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusEncodingTests",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusKafka", "DionysusKafkaTesting",
                "DionysusProducer", "DionysusProtobuf", "DionysusRegistry", "DionysusRegistryTesting",
                "DionysusSchemas",
                "ProtobufExamples", "Rentals", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "CloudEventTool",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusProducer", "DionysusSQLite",
                "DionysusSchemas", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/CloudEventTool",
            swiftSettings: strict
        ),
        .target(
            name: "ProtobufExamples",
            dependencies: ["DionysusProtobuf", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Tests/ProtobufExamples",
            exclude: ["feed/v1/money.proto", "feed/v1/rental.proto"],
            resources: [.copy("rental.desc")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "RegistryTool",
            dependencies: [
                "Dionysus", "DionysusProtobuf", "DionysusRegistry", "DionysusRegistryTesting", "DionysusSchemas",
                "ProtobufExamples",
            ],
            path: "Tests/RegistryTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "RentalsTests",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusEmbedded", "DionysusHealth", "DionysusKafka",
                "DionysusKafkaTesting",
                "DionysusPostgres", "DionysusProducer", "DionysusRegistryTesting", "DionysusSQLite", "DionysusSchemas",
                "OrderTool", "CounterTool", "PublisherTool", "KeeperTool",
                "DionysusCommand", "FakeKafka", "TestSupport", "Rentals", .product(name: "Yams", package: "Yams"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "OrderTool",
            dependencies: [
                "Dionysus", "DionysusEmbedded", "DionysusPostgres", "DionysusProducer", "DionysusSQLite", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/OrderTool",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "PublisherTool",
            dependencies: ["Dionysus", "DionysusApplication", "DionysusProducer"],
            path: "Tests/PublisherTool",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "KeeperTool",
            dependencies: [
                "Dionysus", "DionysusApplication", "DionysusConsumer", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/KeeperTool",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "CounterTool",
            dependencies: [
                "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusKafka", "DionysusPostgres",
                "DionysusSQLite", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/CounterTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusPostgresTests",
            dependencies: ["Dionysus", "DionysusConformance", "DionysusPostgres", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusSQLiteTests",
            dependencies: [
                "Dionysus", "DionysusSQLite", "DionysusConformance", "SQLiteLeaseTool", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "SQLiteLeaseTool",
            dependencies: ["Dionysus", "DionysusSQLite"],
            path: "Tests/SQLiteLeaseTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusProducerTests",
            dependencies: [
                "DionysusSchemas", "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusGRDB",
                "DionysusFile", "DionysusPostgres",
                "DionysusProducer",
                "DionysusSQLite", "Rentals", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusConsumerTests",
            dependencies: [
                "DionysusSchemas", "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusKafka",
                "DionysusKafkaTesting",
                "FakeKafka", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            resources: [.copy("Golden")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "EmbeddedLogTool",
            dependencies: ["Dionysus", "DionysusEmbedded"],
            path: "Tests/EmbeddedLogTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusEmbeddedTests",
            dependencies: [
                "Dionysus", "DionysusEmbedded", "DionysusConformance", "EmbeddedLogTool",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusKafkaTests",
            dependencies: [
                "CRdkafka", "Dionysus", "DionysusConformance", "DionysusKafka", "DionysusKafkaTesting", "FakeKafka",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "StreamTool",
            dependencies: ["Dionysus", "DionysusEvents", "DionysusPostgres", "DionysusSQLite", "TestSupport"],
            path: "Tests/StreamTool",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusEventsTests",
            dependencies: [
                "Ads", "Dionysus", "DionysusConsumer", "DionysusEmbedded", "DionysusEvents", "DionysusFile",
                "DionysusKafka",
                "DionysusKafkaTesting",
                "DionysusPostgres", "DionysusProducer", "DionysusRegistryTesting", "DionysusSchemas", "StreamTool",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DionysusTestingTests",
            dependencies: [
                "Dionysus", "DionysusConformance", "DionysusConsumer", "DionysusProducer", "DionysusRegistryTesting",
                "DionysusSchemas", "DionysusTesting", "Rentals",
            ],
            resources: [.copy("Golden")],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
