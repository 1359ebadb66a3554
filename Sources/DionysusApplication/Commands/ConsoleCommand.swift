import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

#if Monitoring
import DionysusConsole
#endif

struct ConsoleCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "console",
            abstract: "Serves the console: pages for people, and an API.",
            discussion: """
                By default only this machine can reach it, and whoever works there may do everything. Other addresses \
                need DIONYSUS_CONSOLE_TOKENS or DIONYSUS_CONSOLE_TRUSTED_HEADER.

                On SIGTERM or Ctrl-C it finishes the actions that are running and exits with 0.
                """
        )
    }

    @Option(help: "The address to listen on.") var host: String?
    @Option(help: "The port; 0 for one that is free.") var port: Int?
    @Flag(help: "Change nothing, whoever asks.") var readOnly = false

    func run() async throws {
        #if Monitoring
        try await serve()
        #else
        throw leftOut("Monitoring", what: "the console")
        #endif
    }
}

#if Monitoring
extension ConsoleCommand {
    private func serve() async throws {
        let environment = try ApplicationEnvironment<App>()
        let access = environment.settings.console
        var settings = ConsoleSettings(access)
        settings.isReadOnly = readOnly || settings.isReadOnly
        var system = ObservedSystem(name: App.name, version: App.version)
        // A side whose address isn't set is another machine's.
        let source = App.hasProducer && environment.has(.source) ? try environment.source() : nil
        let replica = App.hasConsumer && environment.has(.replica) ? try environment.replica() : nil
        let broker = environment.has(.broker) ? try environment.broker() : nil
        guard source != nil || replica != nil else {
            throw DionysusError(
                .configuration,
                "no database is set that the console could show",
                advice: "set SOURCE_DATABASE_URL, REPLICA_DATABASE_URL or both"
            )
        }
        system.producer = source.map {
            .init(environment.application.producer, database: $0, settings: environment.settings.producer)
        }
        system.consumer = replica.map {
            .init(environment.application.consumer, database: $0, settings: environment.settings.consumer)
        }
        system.broker = broker
        system.instrumentation = environment.instrumentation
        system.settings = try Self.settings()
        let address = host ?? access.host
        let server = try ConsoleServer(
            Console(system, settings: settings, logger: environment.logger),
            host: address,
            port: port ?? access.port,
            logger: environment.logger,
            started: { [logger = environment.logger] port in
                let shown = address.contains(":") ? "[\(address)]" : address
                logger.notice("the console is at http://\(shown):\(port)\(access.basePath)/")
            }
        )
        try await environment.run(server)
        await broker?.close()
        await source?.close()
        await replica?.close()
    }

    /// The settings with where they came from, without secrets.
    private static func settings() throws -> [ObservedSystem.Setting] {
        let resolved = try ResolvedSettings.resolve(of: App())
        return Setting.all.filter { App.has($0.side) }
            .map { setting in
                ObservedSystem.Setting(
                    name: setting.name,
                    value: setting.show(resolved.values),
                    source: resolved.sources[setting.name] ?? "default",
                    summary: setting.summary
                )
            }
    }
}

extension ApplicationEnvironment {
    /// Whether an address is set.
    fileprivate func has(_ address: Address) -> Bool { !settings[keyPath: address.path].isEmpty }
}

extension ConsoleSettings {
    init(_ access: ConsoleAccess) {
        self.init()
        basePath = access.basePath
        tokens = access.tokens.map { .init(name: $0.name, role: .init($0.role), secret: $0.secret) }
        trustedHeader = access.trustedHeader
        trustedRole = .init(access.trustedRole)
        trustedProxies = Set(access.trustedProxies)
        hostNames = Set(access.hostNames)
        isReadOnly = access.isReadOnly
        maskedMembers = Set(access.maskedMembers)
        usesSecureCookies = access.usesSecureCookies
    }
}

extension ConsoleRole {
    fileprivate init(_ role: ConsoleAccess.Role) {
        self =
            switch role {
            case .read: .read
            case .operate: .operate
            case .admin: .admin
            }
    }
}
#endif
