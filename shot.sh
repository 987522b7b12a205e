# shot.sh FILE OUT WIDTH HEIGHT dark?
args=(--headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=$3,$4 --screenshot=$2)
[ "$5" = dark ] && args+=(--blink-settings=preferredColorScheme=0)
timeout 60 chromium "${args[@]}" file://$1 >/dev/null 2>&1
