import OxbowNIO

/// Carries what changes in a peer book to storage, in batches, and nothing of it on an event loop.
actor PeerKeeper {
    private let storage: any PeerStorage
    private let book: PeerBook
    private let log: HostLog
    private let changes: AsyncStream<Void>
    private var isLoaded = false
    private var saving: Task<Void, Never>?

    init(_ storage: any PeerStorage, _ book: PeerBook, _ log: HostLog) {
        self.storage = storage
        self.book = book
        self.log = log
        // One mark is enough: a batch takes all there is.
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.changes = changes
        book.watchChanges { continuation.yield() }
    }

    func load() async throws {
        book.restore(try await storage.load())
        isLoaded = true
    }

    /// Saves what changes until the task is cancelled.
    func run(every interval: Duration) async {
        for await _ in changes {
            try? await Task.sleep(for: interval)
            guard !Task.isCancelled else { return }
            await save()
        }
    }

    /// Saves what has changed, behind the batch that is under way. What can't be saved is tried with the next batch.
    func save() async {
        let before = saving
        let task = Task {
            await before?.value
            await saveNow()
        }
        saving = task
        await task.value
    }

    private func saveNow() async {
        // What could not be read must not be overwritten.
        guard isLoaded else { return }
        let batch = book.takeChanges()
        guard !batch.peers.isEmpty || !batch.forgotten.isEmpty else { return }
        do {
            try await storage.save(batch.peers, forgetting: batch.forgotten)
        } catch {
            book.notSaved(batch.peers.map(\.peer) + batch.forgotten)
            log.writeNotSaved(error)
        }
    }
}
