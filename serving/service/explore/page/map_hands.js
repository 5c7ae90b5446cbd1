// What hands do on the map: drag, wheel, pinch, keys, and drawing a region. It moves the camera and
// calls back; it draws nothing itself.
//
// calls: {moved(), glide(dx, dy), hover(x, y) with nulls for nothing, click(x, y), region([[x, y]..] | null),
//         taken([[x, y]..]), key(event) -> whether it was used, mode() -> "move" | "box" | "lasso"}

const SLOP = 4;  // CSS pixels that a click may slip

export function handle(element, camera, calls) {
  const fingers = new Map();
  let press = null;  // {x, y, mode, path, slipped}
  let speed = [0, 0], last = 0;
  const spot = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x, y] = spot(event);
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [x, y]);
    camera.goal = { x: camera.x, y: camera.y, scale: camera.scale };  // stop where one is
    if (fingers.size === 1) {
      press = { x, y, mode: event.shiftKey ? "box" : calls.mode(), path: [[x, y]], slipped: false };
      speed = [0, 0];
      last = event.timeStamp;
    } else { if (press) press.slipped = true; calls.region(null); }
    calls.hover(null, null);
  });

  element.addEventListener("pointermove", (event) => {
    const [x, y] = spot(event), before = fingers.get(event.pointerId);
    if (!before) { if (event.pointerType !== "touch") calls.hover(x, y); return; }
    if (fingers.size === 2) pinch(event.pointerId, x, y);
    else if (press && fingers.size === 1) {
      if (Math.hypot(x - press.x, y - press.y) > SLOP) press.slipped = true;
      if (press.slipped && press.mode === "move") drag(x - before[0], y - before[1], event.timeStamp);
      else if (press.slipped) draw(x, y);
    }
    // Below the slop nothing moved, so that nothing is lost of the way either.
    if (press?.slipped || fingers.size === 2) fingers.set(event.pointerId, [x, y]);
  });

  function drag(dx, dy, now) {
    camera.pan(dx, dy);
    camera.arrive();
    const time = Math.max(1, now - last), part = Math.min(1, time / 50);
    speed = [speed[0] + (dx / time - speed[0]) * part, speed[1] + (dy / time - speed[1]) * part];
    last = now;
    calls.moved();
  }

  function draw(x, y) {
    if (press.mode === "box") press.path = [[press.x, press.y], [x, press.y], [x, y], [press.x, y]];
    else press.path.push([x, y]);
    calls.region(press.path);
  }

  function pinch(which, x, y) {
    const [other] = [...fingers].filter(([id]) => id !== which).map(([, at]) => at);
    const [ox, oy] = fingers.get(which);
    const was = Math.hypot(ox - other[0], oy - other[1]), now = Math.hypot(x - other[0], y - other[1]);
    camera.pan((x - ox) / 2, (y - oy) / 2);
    if (was > 1 && now > 1) camera.zoomAt(now / was, (x + other[0]) / 2, (y + other[1]) / 2);
    camera.arrive();
    calls.moved();
  }

  function lift(event) {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    const done = press;
    press = null;
    if (!done) return;
    if (event.type === "pointercancel") { calls.region(null); return; }
    if (!done.slipped) { calls.click(done.x, done.y); return; }
    if (done.mode === "move") {  // it glides on a little
      if (event.timeStamp - last < 60 && Math.hypot(...speed) > 0.1) calls.glide(speed[0] * 90, speed[1] * 90);
    } else { calls.region(null); calls.taken(done.path); }
  }
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
  element.addEventListener("pointerleave", () => { if (!fingers.size) calls.hover(null, null); });

  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 300 : 1;
    const turn = Math.max(-240, Math.min(240, event.deltaY * lines));
    // A pinch on a touchpad arrives as a wheel with ctrl, in small steps.
    camera.zoomAt(Math.exp(-turn * (event.ctrlKey ? 0.012 : 0.0022)), ...spot(event));
    calls.hover(null, null);
    calls.moved();
  }, { passive: false });

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 240 : 80;
    const ways = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    if (event.key === "Escape" && press) {
      press = null;
      fingers.clear();
      calls.region(null);
    } else if (ways[event.key]) camera.pan(...ways[event.key]);
    else if (event.key === "+" || event.key === "=") camera.zoomAt(1.6);
    else if (event.key === "-" || event.key === "_") camera.zoomAt(1 / 1.6);
    else if (event.key === "Home") camera.fit();
    else if (calls.key(event)) { /* used */ } else return;
    event.preventDefault();
    event.stopPropagation();
    calls.moved();
  });
}
