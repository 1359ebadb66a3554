import Dionysus
public import Hummingbird
public import Logging
public import ServiceLifecycle

/// The console: pages, an API, and phobos_db_checkpoint's events API, to be mounted in a router of one's own.
///
/// The command `console` of an application serves it on a port.
///
///     var settings = ConsoleSettings()
///     settings.basePath = "/dionysus"
///     let console = try Console(system, settings: settings)
///     console.add(to: router)
///
/// In a router of one's own, run it too: it ends the actions that are running when the application ends.
public struct Console: Service {
    let core: ConsoleCore

    /// Creates a console.
    /// - Parameters:
    ///   - system: What it shows.
    ///   - settings: How it is reached, and what it shows and allows.
    ///   - logger: Where it logs.
    /// - Throws: `DionysusError` with code `configuration` for settings that make no sense.
    public init(
        _ system: ObservedSystem,
        settings: ConsoleSettings = ConsoleSettings(),
        logger: Logger = Logger(label: "dionysus.console")
    ) throws {
        guard settings.basePath.isEmpty || (settings.basePath.hasPrefix("/") && !settings.basePath.hasSuffix("/"))
        else {
            throw DionysusError(.configuration, "the console's base path must begin with a slash and not end with one")
        }
        for token in settings.tokens {
            guard token.secret.utf8.count >= 16 else {
                throw DionysusError(
                    .configuration,
                    "the console's token of \(token.name) has fewer than 16 characters",
                    advice: "use a random text, such as that of openssl rand -hex 24"
                )
            }
        }
        guard Set(settings.tokens.map(\.secret)).count == settings.tokens.count else {
            throw DionysusError(
                .configuration,
                "two of the console's tokens are the same",
                advice: "give each person another one"
            )
        }
        core = ConsoleCore(system, settings: settings, logger: logger)
    }

    /// Adds the routes to a router, under the settings' base path.
    ///
    /// Failed logins are counted by address, and a proxy's header is believed, only if the router's context tells the
    /// address: it has to be a `RemoteAddressRequestContext`.
    /// - Parameter router: The router.
    public func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        let dispatcher = Dispatcher(core: core)
        let group = router.group(RouterPath(core.settings.basePath))
        for endpoint in Endpoint.all {
            group.on(RouterPath(endpoint.path), method: endpoint.method) { request, context in
                var parameters: [String: String] = [:]
                for (name, value) in context.parameters { parameters[String(name)] = String(value) }
                return await dispatcher.answer(endpoint, request, parameters, from: Self.address(context))
            }
        }
        let login = Login(core: core)
        group.get("login") { request, _ in login.page(request) }
        group.post("login") { request, context in await login.logIn(request, from: Self.address(context)) }
        group.post("logout") { request, context in await login.logOut(request, from: Self.address(context)) }
        for path in ["v1/**", "api/**"] as [RouterPath] {
            group.get(path) { request, _ in dispatcher.missing(request) }
            group.post(path) { request, _ in dispatcher.missing(request) }
        }
    }

    /// Waits until the application ends, and then for the actions that are running.
    public func run() async throws {
        try? await gracefulShutdown()
        await core.tails.endAll()
        await core.actions.stopAll()
    }

    private static func address(_ context: some RequestContext) -> String? {
        (context as? any RemoteAddressRequestContext)?.remoteAddress?.ipAddress
    }
}
